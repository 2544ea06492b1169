//! `stages/prompt/prompts` of api/v3.yaml: convert in, call the service, convert out.

use super::{
    entity::Kind,
    render::Field,
    service::{self, Draft},
    store::{PromptFilter, PromptView},
};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    list::ListRequest,
    resource::stages,
};
use tessera_api::v3::{
    apis::prompts::*,
    models::{self, PromptTypeEnum},
};

macro_rules! kinds {
    ($($kind:ident = $wire:ident),+ $(,)?) => {
        impl From<Kind> for PromptTypeEnum {
            fn from(kind: Kind) -> Self {
                match kind { $(Kind::$kind => Self::$wire,)+ }
            }
        }

        impl From<PromptTypeEnum> for Kind {
            fn from(kind: PromptTypeEnum) -> Self {
                match kind { $(PromptTypeEnum::$wire => Self::$kind,)+ }
            }
        }
    };
}

kinds! {
    Text = Text,
    TextArea = TextArea,
    TextReadOnly = TextReadOnly,
    TextAreaReadOnly = TextAreaReadOnly,
    Username = Username,
    Email = Email,
    Password = Password,
    Number = Number,
    Checkbox = Checkbox,
    RadioButtonGroup = RadioButtonGroup,
    Dropdown = Dropdown,
    Date = Date,
    DateTime = DateTime,
    File = File,
    Separator = Separator,
    Hidden = Hidden,
    Static = Static,
    Locale = AkLocale,
}

fn to_model(view: PromptView) -> models::Prompt {
    let PromptView { prompt, stages } = view;
    models::Prompt {
        pk: prompt.id,
        name: prompt.name,
        field_key: prompt.field_key,
        label: prompt.label,
        r_type: prompt.kind.into(),
        required: prompt.required,
        placeholder: prompt.placeholder,
        initial_value: prompt.initial_value,
        order: prompt.position,
        promptstage_set: stages.into_iter().map(stages::to_stage).collect(),
        sub_text: prompt.sub_text,
        placeholder_expression: prompt.placeholder_expression,
        initial_value_expression: prompt.initial_value_expression,
    }
}

/// A field of a form, as challenges and previews show it.
#[must_use]
pub fn to_stage_prompt(field: Field) -> models::StagePrompt {
    let Field { prompt, placeholder, initial_value, choices } = field;
    models::StagePrompt {
        field_key: prompt.field_key,
        label: prompt.label,
        r_type: prompt.kind.into(),
        required: prompt.required,
        placeholder: v3::python_text(&placeholder),
        initial_value: v3::python_text(&initial_value),
        order: prompt.position,
        sub_text: prompt.sub_text,
        choices: choices.map(|choices| choices.iter().map(v3::python_text).collect()),
    }
}

impl From<models::PromptRequest> for Draft {
    fn from(body: models::PromptRequest) -> Self {
        Self {
            name: Some(body.name),
            field_key: Some(body.field_key),
            label: Some(body.label),
            kind: Some(body.r_type.into()),
            required: body.required,
            placeholder: body.placeholder,
            initial_value: body.initial_value,
            order: body.order,
            sub_text: body.sub_text,
            placeholder_expression: body.placeholder_expression,
            initial_value_expression: body.initial_value_expression,
        }
    }
}

impl From<models::PatchedPromptRequest> for Draft {
    fn from(body: models::PatchedPromptRequest) -> Self {
        Self {
            name: body.name,
            field_key: body.field_key,
            label: body.label,
            kind: body.r_type.map(Into::into),
            required: body.required,
            placeholder: body.placeholder,
            initial_value: body.initial_value,
            order: body.order,
            sub_text: body.sub_text,
            placeholder_expression: body.placeholder_expression,
            initial_value_expression: body.initial_value_expression,
        }
    }
}

impl From<models::PromptPreviewRequest> for Draft {
    fn from(body: models::PromptPreviewRequest) -> Self {
        Self {
            name: None,
            field_key: Some(body.field_key),
            label: Some(body.label),
            kind: Some(body.r_type.into()),
            required: body.required,
            placeholder: body.placeholder,
            initial_value: body.initial_value,
            order: body.order,
            sub_text: body.sub_text,
            placeholder_expression: body.placeholder_expression,
            initial_value_expression: body.initial_value_expression,
        }
    }
}

impl Prompts for App {
    async fn stages_prompt_prompts_list(
        &self,
        ctx: &Ctx,
        q: StagesPromptPromptsListQuery,
    ) -> Result<StagesPromptPromptsListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let filter = PromptFilter {
            name: q.name,
            field_key: q.field_key,
            label: q.label,
            kind: q.r#type.and_then(|kind| kind.as_str().parse::<PromptTypeEnum>().ok()).map(Into::into),
            placeholder: q.placeholder,
        };
        let page = service::list(ctx, &request, filter).await?;
        let (pagination, results) = v3::page(page.map(to_model));
        Ok(StagesPromptPromptsListResponse::Status200(models::PaginatedPromptList { pagination, results }))
    }

    async fn stages_prompt_prompts_create(
        &self,
        ctx: &Ctx,
        body: models::PromptRequest,
    ) -> Result<StagesPromptPromptsCreateResponse, Failure> {
        Ok(StagesPromptPromptsCreateResponse::Status201(to_model(service::create(ctx, body.into()).await?)))
    }

    async fn stages_prompt_prompts_retrieve(
        &self,
        ctx: &Ctx,
        path: StagesPromptPromptsRetrievePath,
    ) -> Result<StagesPromptPromptsRetrieveResponse, Failure> {
        Ok(StagesPromptPromptsRetrieveResponse::Status200(to_model(service::view(ctx, path.prompt_uuid).await?)))
    }

    async fn stages_prompt_prompts_update(
        &self,
        ctx: &Ctx,
        path: StagesPromptPromptsUpdatePath,
        body: models::PromptRequest,
    ) -> Result<StagesPromptPromptsUpdateResponse, Failure> {
        let view = service::update(ctx, path.prompt_uuid, body.into()).await?;
        Ok(StagesPromptPromptsUpdateResponse::Status200(to_model(view)))
    }

    async fn stages_prompt_prompts_partial_update(
        &self,
        ctx: &Ctx,
        path: StagesPromptPromptsPartialUpdatePath,
        body: models::PatchedPromptRequest,
    ) -> Result<StagesPromptPromptsPartialUpdateResponse, Failure> {
        let view = service::update(ctx, path.prompt_uuid, body.into()).await?;
        Ok(StagesPromptPromptsPartialUpdateResponse::Status200(to_model(view)))
    }

    async fn stages_prompt_prompts_destroy(
        &self,
        ctx: &Ctx,
        path: StagesPromptPromptsDestroyPath,
    ) -> Result<StagesPromptPromptsDestroyResponse, Failure> {
        service::delete(ctx, path.prompt_uuid).await?;
        Ok(StagesPromptPromptsDestroyResponse::Status204)
    }

    async fn stages_prompt_prompts_used_by_list(
        &self,
        ctx: &Ctx,
        path: StagesPromptPromptsUsedByListPath,
    ) -> Result<StagesPromptPromptsUsedByListResponse, Failure> {
        let stages = service::used_by(ctx, path.prompt_uuid).await?;
        let lines = stages.iter().map(stages::used_by_stage).collect();
        Ok(StagesPromptPromptsUsedByListResponse::Status200(lines))
    }

    async fn stages_prompt_prompts_preview_create(
        &self,
        ctx: &Ctx,
        body: models::PromptPreviewRequest,
    ) -> Result<StagesPromptPromptsPreviewCreateResponse, Failure> {
        let fields = service::preview(ctx, body.into()).await?;
        Ok(StagesPromptPromptsPreviewCreateResponse::Status200(models::PromptChallenge {
            flow_info: None,
            component: "ak-stage-prompt".to_owned(),
            response_errors: None,
            fields: fields.into_iter().map(to_stage_prompt).collect(),
        }))
    }
}
