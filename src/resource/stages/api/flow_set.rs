//! Flows, as their stages show them.

use crate::resource::{
    flows::{DeniedAction, Designation, Layout},
    stages::store::FlowOfStage,
};
use tessera_api::v3::models::{self, DeniedActionEnum, FlowDesignationEnum, FlowLayoutEnum};

const fn designation(designation: Designation) -> FlowDesignationEnum {
    match designation {
        Designation::Authentication => FlowDesignationEnum::Authentication,
        Designation::Authorization => FlowDesignationEnum::Authorization,
        Designation::Invalidation => FlowDesignationEnum::Invalidation,
        Designation::Enrollment => FlowDesignationEnum::Enrollment,
        Designation::Unenrollment => FlowDesignationEnum::Unenrollment,
        Designation::Recovery => FlowDesignationEnum::Recovery,
        Designation::StageConfiguration => FlowDesignationEnum::StageConfiguration,
    }
}

const fn layout(layout: Layout) -> FlowLayoutEnum {
    match layout {
        Layout::Stacked => FlowLayoutEnum::Stacked,
        Layout::ContentLeft => FlowLayoutEnum::ContentLeft,
        Layout::ContentRight => FlowLayoutEnum::ContentRight,
        Layout::SidebarLeft => FlowLayoutEnum::SidebarLeft,
        Layout::SidebarRight => FlowLayoutEnum::SidebarRight,
    }
}

const fn denied_action(action: DeniedAction) -> DeniedActionEnum {
    match action {
        DeniedAction::MessageContinue => DeniedActionEnum::MessageContinue,
        DeniedAction::Message => DeniedActionEnum::Message,
        DeniedAction::Continue => DeniedActionEnum::Continue,
    }
}

pub fn to_model(of: FlowOfStage) -> models::FlowSet {
    let FlowOfStage { flow, engine_mode, .. } = of;
    models::FlowSet {
        pk: flow.id,
        policybindingmodel_ptr_id: flow.target_id,
        export_url: format!("/api/v3/flows/instances/{}/export/", flow.slug),
        name: flow.name,
        slug: flow.slug,
        title: flow.title,
        designation: designation(flow.designation),
        background: flow.background,
        policy_engine_mode: engine_mode.into(),
        compatibility_mode: flow.compatibility_mode,
        layout: layout(flow.layout),
        denied_action: denied_action(flow.denied_action),
    }
}
