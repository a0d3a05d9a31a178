"""A practice scheduler: speaks Calendly's published API and posts signed webhooks, for the demo and the tests.

Only the standard library and syncd.clock: it must share no code with the connector that it tests.
"""

from syncd.practice_calendly.api import Api
from syncd.practice_calendly.company import Company, Refusal, Scope
from syncd.practice_calendly.control import Fault
from syncd.practice_calendly.courier import Courier, Sent, sign
from syncd.practice_calendly.serve import PracticeServer
from syncd.practice_calendly.shapes import Client

__all__ = ["Api", "Client", "Company", "Courier", "Fault", "PracticeServer", "Refusal", "Scope", "Sent", "sign"]
