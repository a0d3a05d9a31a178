"""msal against a certified OpenID provider of somebody else (panva's oidc-provider), where it is installed."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors._outlook_sign_in import SignIn
from connectors.outlook import OutlookSettings
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed
from tests.connectors.outlook_stage import environment
from tests.servers.certificates import server_context
from tests.servers.process import free_port, running

MODULES = os.environ.get("SYNCD_TEST_NODE_MODULES", "")
REMEDY = "npm install --prefix DIR oidc-provider, then SYNCD_TEST_NODE_MODULES=DIR/node_modules"
HERE = bool(shutil.which("node")) and (Path(MODULES or "/nowhere") / "oidc-provider").is_dir()
pytestmark = pytest.mark.skipif(not HERE, reason=f"OpenID provider: oidc-provider is missing; remedy: {REMEDY}")

SCRIPT = """
import {{ createServer }} from 'node:https';
import {{ readFileSync }} from 'node:fs';
const {{ Provider }} = await import('{modules}/oidc-provider/lib/index.js');
const issuer = 'https://localhost:{port}/oficina/v2.0';
const provider = new Provider(issuer, {{
  clients: [{{ client_id: 'app', client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [],
              response_types: [], token_endpoint_auth_method: 'client_secret_post',
              scope: 'https://graph.microsoft.com/.default' }}],
  scopes: ['openid', 'https://graph.microsoft.com/.default'],
  features: {{ clientCredentials: {{ enabled: true }}, devInteractions: {{ enabled: false }} }},
}});
const pem = readFileSync('{pem}');
const handle = provider.callback();
createServer({{ key: pem, cert: pem }}, (ask, answer) => {{
  ask.originalUrl = ask.url;
  ask.url = ask.url.replace('/oficina/v2.0', '') || '/';
  handle(ask, answer);
}}).listen({port}, '127.0.0.1', () => console.log('ready'));
"""


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    folder, port = tmp_path_factory.mktemp("oidc"), free_port()
    _, authority = server_context(folder, "localhost", "127.0.0.1")
    script = folder / "provider.mjs"
    script.write_text(SCRIPT.format(modules=MODULES, port=port, pem=folder / "server.pem"))
    with running([shutil.which("node") or "node", str(script)], "ready", port):
        yield f"https://localhost:{port}/oficina/v2.0", str(authority)


def sign_in(provider: tuple[str, str], secret: str) -> SignIn:
    url, authority = provider
    written = {"client_id": "app", "tenant": "oficina", "client_secret": secret, "authority": url}
    return SignIn(AccountId("oidc"), OutlookSettings.model_validate(written), environment(ca_file=authority))


def test_an_app_gets_a_token_from_a_certified_provider(provider: tuple[str, str]) -> None:
    token, seconds = sign_in(provider, "secret").token()
    assert token and seconds > 0


def test_a_wrong_secret_is_refused_by_a_certified_provider(provider: tuple[str, str]) -> None:
    with pytest.raises(AuthFailed, match="invalid_client"):
        sign_in(provider, "another").token()
