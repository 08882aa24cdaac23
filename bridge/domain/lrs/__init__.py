"""The rules of a Learning Record Store: what a statement is found by, how it is stored and shown, its attachments."""

from bridge.domain.lrs.documents import (
    DocumentKind,
    DocumentScope,
    Precondition,
    WriteGuard,
    XapiDocument,
    XapiDocumentRow,
    merge_documents,
)
from bridge.domain.lrs.index_keys import (
    EVERY_STATEMENT,
    StatementQuery,
    activities,
    authority_key,
    definition_key,
    mention_of_activity,
    mention_of_agent,
)
from bridge.domain.lrs.parsing import (
    ATTACHMENTS_CLAUSE,
    HASH_HEADER,
    AttachmentPart,
    IncomingStatement,
    group_by_signature,
    malformed_part,
    parse_batch,
    parse_single,
)
from bridge.domain.lrs.rows import (
    AttachmentChunkRow,
    AttachmentFileRow,
    LrsRow,
    NewStatement,
    ReferenceRow,
    UnsentRow,
)
from bridge.domain.lrs.serialization import (
    complete_statement,
    definitions_in,
    exact_text,
    format_time,
    make_canonical,
    merge_definitions,
    message_text,
    names_of,
    parse_time,
    reduce_to_ids,
    to_datetime,
)
from bridge.domain.lrs.signatures import LARGEST_SIGNATURE, BadSignature, check_signature
from bridge.domain.lrs.spec_refs import Version, cite_communication, cite_data
from bridge.domain.lrs.storing import StoreContext, distinct_statements, find_voidings, is_new_statement
