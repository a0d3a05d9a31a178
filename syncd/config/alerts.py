"""What can be wrong with [alerts]. Apprise is imported only where URLs are written: it is big."""

import logging
from collections.abc import Iterator

from syncd.config.document import Document
from syncd.config.problems import Problem

ADVICE = 'write one as apprise knows them, for instance "ntfys://ntfy.sh/a-topic" or "mailtos://user:password@host"'


def check_alerts(document: Document) -> Iterator[Problem]:
    """Yield a problem for each URL that apprise does not understand; the URL is a secret and never repeated."""
    if not document.alerts.urls:
        return
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would write the URL
    for number, secret in enumerate(document.alerts.urls):
        found = apprise.Apprise.instantiate(secret.get_secret_value())
        if found is None:
            yield Problem(("alerts", "urls", number), f"is no URL of a service for alerts; {ADVICE}")
        elif not found.verify_certificate:
            yield Problem(("alerts", "urls", number), "would trust any certificate; leave verify=no out")
