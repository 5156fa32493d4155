"""OpenFaith's plan for each Planning Center type, and where the declarations deliberately differ."""

from types import MappingProxyType
from typing import Final

from openfaith_pipeline.canonical.plan import Form, Plan
from openfaith_pipeline.planning_center.products import Product

PLAN: Final = Plan(
    forms=MappingProxyType(
        {
            Product.PEOPLE: {
                Form.ENTITY: "Person Address Email PhoneNumber Household Campus Note FieldDefinition",
                Form.FOLDER: "List ListCategory NoteCategory Tab Workflow WorkflowCategory",
                Form.EDGE: "HouseholdMembership ListResult FieldDatum WorkflowCard",
                Form.FIELD: "MaritalStatus InactiveReason NamePrefix NameSuffix SchoolOption",
                Form.SKIP: "App PersonApp Form BackgroundCheck",
            },
            Product.GROUPS: {
                Form.ENTITY: "Group Event Tag Resource",
                Form.FOLDER: "GroupType TagGroup",
                Form.EDGE: "Membership Campus Attendance GroupApplication",
                Form.FIELD: "Location Enrollment EventNote",
            },
            Product.CALENDAR: {
                Form.ENTITY: "Event EventInstance Resource Tag Attachment ResourceApprovalGroup",
                Form.FOLDER: "ResourceFolder TagGroup Feed",
                Form.EDGE: "ResourceBooking EventResourceRequest RequiredApproval",
                Form.FIELD: "RoomSetup ResourceQuestion EventResourceAnswer",
                Form.SKIP: "Conflict ReportTemplate JobStatus ResourceSuggestion",
            },
            Product.CHECK_INS: {
                Form.ENTITY: "Event EventPeriod Location CheckIn Station Label",
                Form.FOLDER: "CheckInGroup",
                Form.EDGE: "EventLabel LocationLabel CheckInTime",
                Form.FIELD: "AttendanceType Headcount Option Theme Pass",
                Form.SKIP: "IntegrationLink PreCheck RosterListPerson",
            },
            Product.GIVING: {
                Form.ENTITY: "Donation Fund RecurringDonation PledgeCampaign",
                Form.FOLDER: "Batch BatchGroup",
                Form.EDGE: "Designation RecurringDonationDesignation Pledge",
                Form.FIELD: "PaymentMethod PaymentSource Note Label",
                Form.SKIP: "InKindDonation Refund DesignationRefund",
            },
            Product.SERVICES: {
                Form.ENTITY: (
                    "ServiceType Plan Song Media Team Arrangement Item Tag TeamPosition Key Blockout "
                    "TimePreferenceOption EmailTemplate ReportTemplate"
                ),
                Form.FOLDER: "Folder Series TagGroup ItemNoteCategory PlanNoteCategory AttachmentTypeGroup",
                Form.EDGE: (
                    "PlanPerson Schedule Attachment Attendance Contributor PersonTeamPositionAssignment "
                    "TeamLeader PlanNote ItemNote MediaSchedule SongSchedule NeededPosition SignupSheet "
                    "ScheduledPerson SplitTeamRehearsalAssignment Zoom"
                ),
                Form.FIELD: (
                    "ArrangementSections AttachmentActivity AttachmentType BlockoutDate BlockoutException "
                    "BlockoutScheduleConflict Chat CustomSlide ItemTime Layout PlanPersonTime PublicView "
                    "LiveController SignupSheetMetadata SkippedAttachment TextSetting"
                ),
                Form.SKIP: "EmailTemplateRenderedResponse FolderPath Live ServiceTypePath SongbookStatus",
            },
            Product.REGISTRATIONS: {
                Form.ENTITY: "Signup",
                Form.FOLDER: "Category",
                Form.EDGE: "Registration Attendee Campus",
                Form.FIELD: "SignupTime SignupLocation SelectionType EmergencyContact",
            },
            Product.PUBLISHING: {
                Form.ENTITY: "Episode Speaker",
                Form.FOLDER: "Channel Series",
                Form.EDGE: "Speakership",
                Form.FIELD: (
                    "EpisodeResource EpisodeTime NoteTemplate ChannelDefaultEpisodeResource ChannelDefaultTime"
                ),
                Form.SKIP: "EpisodeStatistics",
            },
        }
    ),
    differences=MappingProxyType(
        {
            Product.PEOPLE: {
                "FieldDatum": "Custom fields of the person, under the field's own name, as OpenFaith has them today.",
                "Form": "A folder, so that its submissions can be edges to the people who sent them.",
            },
            Product.GROUPS: {
                "Campus": "No record that is read names the campus of a group; campuses are those of People."
            },
            Product.CHECK_INS: {
                "AttendanceType": "An entity, since each headcount of a time counts one of several types.",
                "Headcount": "An edge of time and attendance type: as fields, all counts were one text.",
            },
            Product.GIVING: {
                "Refund": "A refund is part of the donation: fields of it.",
                "DesignationRefund": "The refund of a fund's share is in the metadata of the designation.",
            },
            Product.CALENDAR: {
                "RoomSetup": "Also in the metadata of the requests that choose it.",
            },
            Product.SERVICES: {
                "Attachment": "A file is a row, for it has fields; an edge joins it to the record it is attached to.",
                "Attendance": "It names no person but their place in the plan, and is in the metadata of that edge.",
                "LiveController": "There is no row of a live plan; who may control one is a field of the service type.",
                "NeededPosition": "It names the team and only the name of the position: an edge of plan and team.",
            },
            Product.REGISTRATIONS: {"Campus": "The campuses of a signup are edges to those of People."},
        }
    ),
    not_yet=MappingProxyType({}),
)
