"""Privacy: who reads a record and by which right, whose data is whose, people named in statements, and erasures."""

from bridge.domain.privacy.access import NO_RIGHT, RIGHTS, Access, AccessLogRow, ChainHead, Reader, Right, StoredRight
from bridge.domain.privacy.erasures import ERASURE_STATES, ErasureHold, ErasureState, StoredErasure
from bridge.domain.privacy.subjects import ALWAYS, DataSubject, Tenure, TimeSpan
