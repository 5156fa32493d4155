"""Documented types that are not synced, with reasons: none has data about a church that other streams lack."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from openfaith_pipeline.catalog.document import Reason
from openfaith_pipeline.planning_center.products import Product

NOT_SYNCED: Final[Mapping[Product, Mapping[str, Reason]]] = MappingProxyType(
    {
        Product.PEOPLE: {
            "BirthdayPeople": Reason.DERIVED,
            "ConnectedPerson": Reason.OTHER_ORGANIZATIONS,
            "ListStar": Reason.PER_USER,
            "OrganizationStatistics": Reason.DERIVED,
            "PersonProfileChange": Reason.UNDOCUMENTED,
            "PlatformNotification": Reason.UI_STATE,
            "WorkflowAssigneeSummary": Reason.DERIVED,
            "WorkflowAssigneeWorkflowSummary": Reason.DERIVED,
            "WorkflowStepAssigneeSummary": Reason.DERIVED,
        },
        Product.CALENDAR: {"ContainingResource": Reason.ANOTHER_NAME, "JobStatus": Reason.TRANSIENT},
        Product.CHECK_INS: {"PreCheck": Reason.UNROUTED, "RosterListPerson": Reason.UNROUTED},
        Product.SERVICES: {
            "AttachmentActivity": Reason.UNROUTED,
            "AvailableSignup": Reason.PER_USER,
            "BlockoutScheduleConflict": Reason.UNROUTED,
            "Chat": Reason.PER_USER,
            "EmailTemplateRenderedResponse": Reason.UNROUTED,
            "FolderPath": Reason.UNROUTED,
            "Layout": Reason.GONE,
            "Live": Reason.UI_STATE,
            "MediaSchedule": Reason.DERIVED,
            "PlanImportMetadata": Reason.TRANSIENT,
            "Schedule": Reason.SAME_ROWS,
            "ScheduledPerson": Reason.PER_USER,
            "ServiceTypePath": Reason.UNROUTED,
            "SignupSheet": Reason.PER_USER,
            "SignupSheetMetadata": Reason.PER_USER,
            "SkippedAttachment": Reason.UNROUTED,
            "SongSchedule": Reason.DERIVED,
            "SongbookStatus": Reason.UNROUTED,
            "Zoom": Reason.PER_USER,
        },
        Product.PUBLISHING: {"ChannelNextTime": Reason.DERIVED},
        Product.WEBHOOKS: {
            "Delivery": Reason.PLUMBING,
            "Event": Reason.PLUMBING,
            "Organization": Reason.PLUMBING,
        },
        Product.API: {
            "OauthApplication": Reason.PER_USER,
            "OauthApplicationMau": Reason.PLUMBING,
            "Person": Reason.UNROUTED,
            "PersonalAccessToken": Reason.PER_USER,
        },
    }
)
"""JSON:API type -> reason, by product."""
