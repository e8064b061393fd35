"""`ao.v1.AccessService`: API keys and the audit log."""

from pydantic import Field

from ao.server.grpc.methods import Method, Service, answer, items
from ao.server.grpc.requests import Nothing
from ao.server.operations.access import AccessOperations, AuditQuery
from ao.server.services import Services
from ao.wire.access import KEY_ID, KeyCreate
from ao.wire.schemas import Request


class RevokeKey(Request):
    key_id: str = Field(pattern=KEY_ID)


def access_service(services: Services) -> Service:
    access = AccessOperations(services)
    return {
        "CreateKey": Method("create_key", KeyCreate, answer(access.create)),
        "ListKeys": Method("list_keys", Nothing, items(lambda _, __: access.list())),
        "RevokeKey": Method(
            "revoke_key", RevokeKey, answer(lambda caller, asked: access.revoke(caller, asked.key_id))
        ),
        "ListAudit": Method("list_audit", AuditQuery, answer(lambda _, asked: access.audit(asked))),
    }
