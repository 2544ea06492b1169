//! Reading a form: its own fields first (`csrf`, `component`, `kinds`), then the answer, made into the
//! JSON that a headless client would send.

use super::fault::Fault;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Map, Number, Value};
use std::{collections::BTreeMap, time::Duration};
use tessera_api_runtime::Body;

/// Longest form, in bytes.
const FORM: usize = 64 * 1024;
/// Longest form with files, in bytes.
const FILES: usize = 512 * 1024;
/// Longest time for a form to arrive.
const TIME: Duration = Duration::from_secs(20);

/// Names and values, in the order of the form.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the body.
    pub(super) async fn read(headers: &HeaderMap, body: &Body) -> Result<Self, Fault> {
        let mime = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(mime).ok();
        let incoming = body.take().ok_or(Fault::Incomplete)?;
        let limit = if boundary.is_some() { FILES } else { FORM };
        let read = Limited::new(incoming, limit).collect();
        let bytes = match tokio::time::timeout(TIME, read).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Fault::TooLarge),
            Ok(Err(_)) | Err(_) => return Err(Fault::Incomplete),
        };
        match boundary {
            Some(boundary) => with_files(bytes, boundary).await,
            None => Ok(Self(form_urlencoded::parse(&bytes).into_owned().collect())),
        }
    }

    /// Takes the first field of this name: the form's own come first, whatever prompts are called.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    /// What a field of this name says, which stays there; nothing when there is none.
    pub(super) fn peek(&self, name: &str) -> String {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The answer to a challenge of this component.
    pub(super) fn answer(mut self, component: &str) -> Map<String, Value> {
        let text = |form: &Self, name: &str| form.last(name).map(|value| (name.to_owned(), Value::from(value)));
        match component {
            "ak-stage-identification" => text(&self, "uid_field").into_iter().chain(text(&self, "password")).collect(),
            "ak-stage-password" => text(&self, "password").into_iter().collect(),
            "ak-stage-user-login" => {
                let stay = self.last("remember_me").is_some_and(|value| value == "true");
                [("remember_me".to_owned(), Value::Bool(stay))].into_iter().collect()
            }
            "ak-stage-consent" => text(&self, "token").into_iter().collect(),
            "ak-stage-prompt" => {
                let kinds = self.take("kinds").unwrap_or_default();
                self.prompted(&serde_json::from_str(&kinds).unwrap_or_default())
            }
            _ => Map::new(),
        }
    }

    /// The answer to prompts, by the kinds that the page wrote into the form.
    fn prompted(self, kinds: &BTreeMap<String, String>) -> Map<String, Value> {
        let mut answer = Map::new();
        for (name, value) in self.0 {
            let kind = kinds.get(&name).map(String::as_str).unwrap_or_default();
            let value = match kind {
                "number" => number(&value),
                "checkbox" => Value::Bool(value == "true"),
                "password" => Value::from(value),
                // Browsers end lines in forms with two characters, scripts with one.
                _ => Value::from(value.replace("\r\n", "\n")),
            };
            answer.insert(name, value);
        }
        // A box that is not ticked is not in the form.
        for (name, _) in kinds.iter().filter(|(_, kind)| *kind == "checkbox") {
            answer.entry(name.clone()).or_insert(Value::Bool(false));
        }
        answer
    }
}

/// The number, or the text where it is none: the stage has words for that.
fn number(text: &str) -> Value {
    let text = text.trim();
    let whole = text.parse::<i64>().ok().map(Number::from);
    whole.or_else(|| text.parse().ok().and_then(Number::from_f64)).map_or_else(|| Value::from(text), Value::Number)
}

/// A form with files, each as a data address.
async fn with_files(bytes: Bytes, boundary: String) -> Result<Form, Fault> {
    let whole = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
    let mut parts = multer::Multipart::new(whole, boundary);
    let mut form = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|_| Fault::Incomplete)? {
        let Some(name) = part.name().map(str::to_owned) else { continue };
        let mime = part.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let is_file = part.file_name().is_some();
        let bytes = part.bytes().await.map_err(|_| Fault::Incomplete)?;
        let value = match (is_file, bytes.is_empty()) {
            (true, true) => String::new(),
            (true, false) => {
                let mime = mime.unwrap_or_else(|| "application/octet-stream".to_owned());
                format!("data:{mime};base64,{}", BASE64_STANDARD.encode(&bytes))
            }
            (false, _) => String::from_utf8_lossy(&bytes).into_owned(),
        };
        form.push((name, value));
    }
    Ok(Form(form))
}

#[cfg(test)]
mod tests {
    use super::{Form, with_files};
    use serde_json::{Value, json};

    fn form(text: &str) -> Form {
        Form(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    fn answer(text: &str, component: &str) -> Value {
        Value::Object(form(text).answer(component))
    }

    #[test]
    fn own_fields_come_first() {
        let mut form = form("csrf=ours&component=ak-stage-prompt&kinds=%7B%7D&csrf=theirs");
        assert_eq!(form.take("csrf").as_deref(), Some("ours"));
        let component = form.take("component").unwrap_or_default();
        assert_eq!(Value::Object(form.answer(&component)), json!({"csrf": "theirs"}));
    }

    #[test]
    fn answers() {
        assert_eq!(answer("uid_field=a%20b&x=1", "ak-stage-identification"), json!({"uid_field": "a b"}));
        assert_eq!(answer("password=+a+", "ak-stage-password"), json!({"password": " a "}));
        assert_eq!(answer("remember_me=true", "ak-stage-user-login"), json!({"remember_me": true}));
        assert_eq!(answer("", "ak-stage-user-login"), json!({"remember_me": false}));
        assert_eq!(answer("token=t", "ak-stage-consent"), json!({"token": "t"}));
        assert_eq!(answer("a=b", "ak-stage-email"), json!({}));
    }

    #[test]
    fn prompts() {
        let kinds = json!({"n": "number", "m": "number", "on": "checkbox", "off": "checkbox", "d": "date"}).to_string();
        let text = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("kinds", kinds.as_str()),
                ("n", "7"),
                ("m", "seven"),
                ("on", "true"),
                ("d", ""),
                ("t", "a\r\nb"),
            ])
            .finish();
        let expected = json!({"n": 7, "m": "seven", "on": true, "d": "", "t": "a\nb", "off": false});
        assert_eq!(answer(&text, "ak-stage-prompt"), expected);
    }

    #[tokio::test]
    async fn files() {
        let text = "--b\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nc\r\n\
                    --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b--\r\n";
        let form = with_files(text.into(), "b".to_owned()).await.expect("a form");
        assert_eq!(form.0[0], ("csrf".to_owned(), "c".to_owned()));
        assert_eq!(form.0[1], ("f".to_owned(), "data:text/plain;base64,aGk=".to_owned()));
    }
}
