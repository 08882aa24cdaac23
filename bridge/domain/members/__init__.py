"""Members: who they are to the membership system, what identifies them, and their membership years."""

from bridge.domain.members.files import fault_of_row, read_members
from bridge.domain.members.identifiers import (
    IDENTIFIER_FORMS,
    IdentifierOwner,
    IdentifierTaken,
    actor_key,
    id_key,
    identifier_key,
    tombstone,
    typed_keys,
)
from bridge.domain.members.mailboxes import mailbox
from bridge.domain.members.members import (
    NO_MEMBER,
    NO_PERIOD,
    AuditYear,
    Departure,
    ElapsedTime,
    Freeze,
    FreezeMark,
    MembershipCalendar,
    MembershipYear,
    StoredMember,
    calendar_of,
    frozen_on,
    frozen_period_ids,
    given_up,
)
from bridge.domain.members.messages import (
    MEMBER_ID,
    LeaveIn,
    MemberIn,
    MemberLeft,
    MemberUpserted,
    PeriodIn,
    identifier_conflict,
    is_member_id,
    stored_member,
)
