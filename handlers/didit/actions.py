"""Who carries each `didit.` action out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from handlers.didit.account import Account
from handlers.didit.checks import Checks
from handlers.didit.lists import Lists
from handlers.didit.sessions import Sessions
from handlers.tools import Factory, method_of

ACTIONS: Final[Mapping[str, Factory]] = {
    "didit.face_search": method_of("didit", Checks, Checks.face_search),
    "didit.passive_liveness": method_of("didit", Checks, Checks.passive_liveness),
    "didit.face_match": method_of("didit", Checks, Checks.face_match),
    "didit.id_verification": method_of("didit", Checks, Checks.id_verification),
    "didit.decision": method_of("didit", Sessions, Sessions.decision),
    "didit.list_sessions": method_of("didit", Sessions, Sessions.list_sessions),
    "didit.create_session": method_of("didit", Sessions, Sessions.create_session),
    "didit.delete_session": method_of("didit", Sessions, Sessions.delete_session),
    "didit.update_status": method_of("didit", Sessions, Sessions.update_status),
    "didit.generate_pdf": method_of("didit", Sessions, Sessions.generate_pdf),
    "didit.share_session": method_of("didit", Sessions, Sessions.share_session),
    "didit.import_session": method_of("didit", Sessions, Sessions.import_session),
    "didit.blocklist_add": method_of("didit", Lists, Lists.blocklist_add),
    "didit.blocklist_remove": method_of("didit", Lists, Lists.blocklist_remove),
    "didit.blocklist_list": method_of("didit", Lists, Lists.blocklist_list),
    "didit.list_add": method_of("didit", Lists, Lists.list_add),
    "didit.user_status": method_of("didit", Account, Account.user_status),
    "didit.balance": method_of("didit", Account, Account.balance),
}
