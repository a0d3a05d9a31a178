"""Names of things, one type each, so that a visit's id is never passed where an agent's is meant."""

from typing import NewType

AgentId = NewType("AgentId", str)
VisitId = NewType("VisitId", str)
CalendarId = NewType("CalendarId", str)  # "<account>/<calendar as written in the configuration>"
AccountId = NewType("AccountId", str)
ProjectId = NewType("ProjectId", str)
EventTypeId = NewType("EventTypeId", str)
RequestId = NewType("RequestId", str)
HoursId = NewType("HoursId", str)
ContactId = NewType("ContactId", str)
InquiryId = NewType("InquiryId", str)
ProposalId = NewType("ProposalId", str)
