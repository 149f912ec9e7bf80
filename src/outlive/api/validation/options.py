"""Changes of a run's options, by a request of their own or after a reset."""

from __future__ import annotations

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions

from outlive.api.validation.common import Scope
from outlive.api.validation.starts import check_priority
from outlive.api.validation.time_skipping import check_config
from outlive.api.validation.versioning import check_override
from outlive.errors import InvalidArgument

_WHOLE = {  # fields that are changed as a whole, and what is said of a part of one
    "versioning_override": "versioning_override doesn't support partial updates",
    "time_skipping_config": "time_skipping_config doesn't support partial update",
}


def check_change(options: WorkflowExecutionOptions, mask: FieldMask, scope: Scope) -> None:
    """What is wanted, and the mask that says what of it counts."""
    if not mask.paths:
        raise InvalidArgument("UpdateMask is required")
    name = WorkflowExecutionOptions.DESCRIPTOR.full_name
    for path in mask.paths:
        if not FieldMask(paths=[path]).IsValidForDescriptor(WorkflowExecutionOptions.DESCRIPTOR):
            raise InvalidArgument(f'error parsing UpdateMask: proto: invalid path "{path}" for message "{name}"')
        field, dot, _ = path.partition(".")
        if dot and field in _WHOLE:
            raise InvalidArgument(f"error applying update_options: {_WHOLE[field]}")
    check_priority(options.priority)
    if options.HasField("versioning_override"):
        _check_override(options.versioning_override)
    if options.HasField("time_skipping_config"):
        check_config(options.time_skipping_config, scope)


def _check_override(override: VersioningOverride) -> None:
    """As on a start; but one that pins may leave out the version, and means the one that the run is on."""
    if override.WhichOneof("override") != "pinned" or override.pinned.HasField("version"):
        check_override(override)
    elif not override.pinned.behavior:
        raise InvalidArgument("must specify pinned override behavior if override is pinned.")
