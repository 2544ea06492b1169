//! Settings of the process: built-in defaults, then `tessera.toml`, then `TESSERA_*` in the environment.
//!
//! The table of all keys is in the README; a key that is not in it is an error, so that a typing
//! error does not pass for a setting.

use config::{ConfigError, Environment, File, FileFormat};
use serde::Deserialize;
use std::{collections::HashMap, ffi::OsString, net::SocketAddr, path::PathBuf};

const PREFIX: &str = "TESSERA";
/// The SQLite file, in the data folder.
pub const DATABASE_FILE: &str = "tessera.db";
/// The configuration file, in the working directory.
pub const FILE: &str = "tessera.toml";

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// What becomes of a password that could not be looked up in the lists of known ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It is taken.
    Pass,
    /// It is refused.
    Fail,
}

/// How the connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Not at all.
    None,
    /// After a start in clear; a server that does not offer it gets no mail.
    StartTls,
    /// From the first byte.
    Tls,
}

/// Settings of the process. `Debug` hides what is secret.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address of the API.
    pub listen: SocketAddr,
    /// Address of health checks and the management document.
    pub management_listen: SocketAddr,
    /// Folder of the SQLite file; made when missing.
    pub data_dir: PathBuf,
    /// `sqlite:<file>` or `postgres://…`; by default `tessera.db` in `data_dir`.
    pub database_url: Option<String>,
    /// Connections that read (SQLite), or half of all connections (PostgreSQL).
    pub database_readers: u32,
    /// The master key itself.
    pub secret_key: Option<String>,
    /// The file with the master key; made when missing.
    pub secret_key_file: PathBuf,
    /// Password of `akadmin`, on the first start.
    pub bootstrap_password: Option<String>,
    /// Key of the first API token, on the first start.
    pub bootstrap_token: Option<String>,
    /// E-mail address of `akadmin`, on the first start.
    pub bootstrap_email: String,
    /// Largest request body, in bytes.
    pub max_body_bytes: usize,
    /// Longest time for a request's headers, and again for its body, in seconds.
    pub request_timeout: u64,
    /// Longest time that requests in flight get when the server stops, and after them mails that wait, in seconds.
    pub drain_timeout: u64,
    /// Anonymous requests per second and address.
    pub anonymous_rate: u32,
    /// Requests of one client to one version of the token API within `api_rate_seconds`; 0 is without bound.
    pub api_rate: u32,
    pub api_rate_seconds: u32,
    /// What the installation is called in bearer tokens.
    pub tenant_name: String,
    /// Time from one sweep of what has ended to the next, in seconds; 0 is never.
    pub sweep_interval: u32,
    /// The range API of Have I Been Pwned or of a mirror; `None` asks nobody.
    pub hibp_url: Option<String>,
    /// Longest time for one look-up there, in seconds.
    pub hibp_timeout: u64,
    /// What a look-up that failed means.
    pub hibp_on_failure: OnFailure,
    /// The mail server; `None` sends no mail.
    pub smtp_host: Option<String>,
    pub smtp_port: u16,
    pub smtp_tls: SmtpTls,
    /// Who signs in there; goes with `smtp_password`.
    pub smtp_username: Option<String>,
    pub smtp_password: Option<String>,
    /// The sender of our mails: a mailbox, such as `Tessera <no-reply@example.org>`.
    pub smtp_from: Option<String>,
    /// Longest time of one try to hand a mail to the server, in seconds.
    pub smtp_timeout: u64,
    /// Authorities beside those of the machine that mail servers' certificates are checked against, as PEM.
    pub smtp_ca_file: Option<PathBuf>,
    /// The address people use, for links in mails; see [`Config::external_url()`].
    pub external_url: Option<String>,
    /// Expressions that run at once, each in a process of its own.
    pub expression_workers: usize,
    /// Most memory of an expression, in MiB.
    pub expression_memory: usize,
    /// Longest time of an expression, in seconds; a binding's own may be shorter.
    pub expression_timeout: u64,
    /// The executable that becomes a worker; our own when there is none. Not for the configuration: tests
    /// have another executable.
    #[serde(skip)]
    pub expression_program: Option<PathBuf>,
    /// What is logged, in the syntax of `tracing`'s `EnvFilter`.
    pub log: String,
    pub log_format: LogFormat,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9000)),
            management_listen: SocketAddr::from(([127, 0, 0, 1], 9300)),
            data_dir: PathBuf::from("data"),
            database_url: None,
            database_readers: 4,
            secret_key: None,
            secret_key_file: PathBuf::from("tessera.key"),
            bootstrap_password: None,
            bootstrap_token: None,
            bootstrap_email: "root@example.com".to_owned(),
            max_body_bytes: 1 << 20,
            request_timeout: 30,
            drain_timeout: 30,
            anonymous_rate: 1000,
            api_rate: 100,
            api_rate_seconds: 10,
            tenant_name: "tessera".to_owned(),
            sweep_interval: 300,
            hibp_url: None,
            hibp_timeout: 3,
            hibp_on_failure: OnFailure::Fail,
            smtp_host: None,
            smtp_port: 25,
            smtp_tls: SmtpTls::StartTls,
            smtp_username: None,
            smtp_password: None,
            smtp_from: None,
            smtp_timeout: 10,
            smtp_ca_file: None,
            external_url: None,
            expression_workers: 2,
            expression_memory: 32,
            expression_timeout: 5,
            expression_program: None,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("management_listen", &self.management_listen)
            .field("data_dir", &self.data_dir)
            .field("secret_key_file", &self.secret_key_file)
            .finish_non_exhaustive()
    }
}

/// The variables as text. Whatever is not UTF-8 is refused if it is meant for us, and else passed over:
/// the environment holds much that is none of our business.
fn readable(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<HashMap<String, String>, ConfigError> {
    let mut text = HashMap::new();
    for (name, value) in variables {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => {
                text.insert(name, value);
            }
            (name, _) => {
                let name = name.unwrap_or_else(|name| name.to_string_lossy().into_owned());
                if name.to_uppercase().starts_with(&format!("{PREFIX}_")) {
                    return Err(ConfigError::Message(format!("{name} is not UTF-8")));
                }
            }
        }
    }
    Ok(text)
}

/// Whether paths can be appended to this address.
fn is_base(address: &str) -> bool {
    let Some(rest) = ["https://", "http://"].iter().find_map(|scheme| address.strip_prefix(scheme)) else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let bare = |c: char| c.is_ascii_graphic() && !matches!(c, '@' | '?' | '#' | '"' | '<' | '>' | '\\');
    !host.is_empty() && !host.starts_with(':') && rest.chars().all(bare)
}

impl Config {
    /// Reads the file and the environment.
    ///
    /// # Errors
    /// A key that does not exist, a value that is not of its type or not UTF-8, a file that is not TOML.
    pub fn load() -> Result<Self, ConfigError> {
        let environment = readable(std::env::vars_os())?;
        Self::from_sources(File::new(FILE, FileFormat::Toml).required(false), environment)
    }

    fn from_sources<S>(file: S, environment: HashMap<String, String>) -> Result<Self, ConfigError>
    where
        S: config::Source + Send + Sync + 'static,
    {
        // Variables of the tests are none of the server's business; an empty value is no value.
        let environment: HashMap<_, _> = environment
            .into_iter()
            .filter(|(name, value)| !name.starts_with("TESSERA_TEST_") && !value.is_empty())
            .collect();
        let config: Self = config::Config::builder()
            .add_source(file)
            .add_source(Environment::with_prefix(PREFIX).source(Some(environment)))
            .build()?
            .try_deserialize()?;
        config.check()?;
        Ok(config)
    }

    /// Values that would be of their type and yet of no use.
    fn check(&self) -> Result<(), ConfigError> {
        let workers = u64::try_from(self.expression_workers).unwrap_or(u64::MAX);
        let memory = u64::try_from(self.expression_memory).unwrap_or(u64::MAX);
        for (name, value, bounds) in [
            ("api_rate_seconds", self.api_rate_seconds.into(), 1..=3600),
            ("expression_workers", workers, 1..=64),
            ("expression_memory", memory, 8..=1024),
            ("expression_timeout", self.expression_timeout, 1..=60),
            ("hibp_timeout", self.hibp_timeout, 1..=30),
            ("smtp_port", self.smtp_port.into(), 1..=65535),
            ("smtp_timeout", self.smtp_timeout, 1..=60),
        ] {
            if !bounds.contains(&value) {
                let (least, most) = bounds.into_inner();
                return Err(ConfigError::Message(format!("{name} must be from {least} to {most}")));
            }
        }
        self.check_mail()
    }

    /// Settings of the mail server that only make sense together, and the address in its mails.
    fn check_mail(&self) -> Result<(), ConfigError> {
        let missing = match self {
            Self { smtp_host: Some(_), smtp_from: None, .. } => Some(("smtp_host", "FROM")),
            Self { smtp_host: None, smtp_from: Some(_), .. } => Some(("smtp_from", "HOST")),
            Self { smtp_username: Some(_), smtp_password: None, .. } => Some(("smtp_username", "PASSWORD")),
            Self { smtp_username: None, smtp_password: Some(_), .. } => Some(("smtp_password", "USERNAME")),
            Self { smtp_host: None, smtp_username: Some(_), .. } => Some(("smtp_username", "HOST")),
            _ => None,
        };
        if let Some((given, other)) = missing {
            return Err(ConfigError::Message(format!("{given} is of no use alone: set TESSERA_SMTP_{other} too")));
        }
        if self.external_url.as_deref().is_some_and(|address| !is_base(address)) {
            return Err(ConfigError::Message(
                "external_url must be an http:// or https:// address without a user, a query and a fragment".to_owned(),
            ));
        }
        Ok(())
    }

    /// Whether people reach us over TLS, as far as the settings say.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.external_url().is_some_and(|url| url.starts_with("https://"))
    }

    /// The address people use, without a slash at its end; `None` means the host that a request names.
    #[must_use]
    pub fn external_url(&self) -> Option<&str> {
        self.external_url.as_deref().map(|address| address.trim_end_matches('/'))
    }

    /// The address of the database.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.database_url.clone().unwrap_or_else(|| crate::db::sqlite_url(&self.data_dir.join(DATABASE_FILE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::from_sources(File::from_str(toml, FileFormat::Toml), environment)
    }

    #[test]
    fn some_numbers_have_bounds() {
        for toml in ["expression_workers = 0", "expression_timeout = 61", "expression_memory = 7", "hibp_timeout = 0"] {
            let refused = load(toml, &[]).expect_err(toml).to_string();
            assert!(refused.contains("must be from"), "{refused}");
        }
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_defaults() {
        let toml = "listen = \"127.0.0.1:1\"\ndata_dir = \"elsewhere\"";
        let config = load(toml, &[("TESSERA_LISTEN", "127.0.0.1:2")]).expect("loads");
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.data_dir, PathBuf::from("elsewhere"));
        assert_eq!(config.management_listen.port(), 9300);
        assert_eq!(config.database_url(), "sqlite:elsewhere/tessera.db");
    }

    #[test]
    fn unknown_keys_are_errors() {
        assert!(load("lisen = \"127.0.0.1:1\"", &[]).unwrap_err().to_string().contains("lisen"));
        assert!(load("", &[("TESSERA_LISEN", "127.0.0.1:1")]).unwrap_err().to_string().contains("lisen"));
        assert!(load("", &[("TESSERA_TEST_POSTGRES", "x"), ("OTHER", "y")]).is_ok());
    }

    #[test]
    fn values_have_types() {
        assert_eq!(load("", &[("TESSERA_MAX_BODY_BYTES", "1000")]).expect("loads").max_body_bytes, 1000);
        assert!(load("", &[("TESSERA_MAX_BODY_BYTES", "many")]).is_err());
        assert!(load("", &[("TESSERA_LISTEN", "nowhere")]).is_err());
    }

    #[test]
    fn a_key_of_digits_is_still_text() {
        assert_eq!(load("", &[("TESSERA_SECRET_KEY", "0123")]).expect("loads").secret_key.as_deref(), Some("0123"));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_utf_8_is_refused_only_if_it_is_ours() {
        use std::os::unix::ffi::OsStringExt as _;
        let bad = || OsString::from_vec(vec![b'x', 0xff]);
        let read = |name: OsString, value: OsString| readable([(name, value)].into_iter());
        assert_eq!(read("OTHER".into(), bad()).expect("passed over").len(), 0);
        assert_eq!(read(bad(), "x".into()).expect("passed over").len(), 0);
        assert_eq!(read("OTHER".into(), "x".into()).expect("read").len(), 1);
        let text = read("TESSERA_LOG".into(), bad()).unwrap_err().to_string();
        assert_eq!(text, "TESSERA_LOG is not UTF-8");
        let mut name = OsString::from("TESSERA_");
        name.push(bad());
        assert!(read(name, "x".into()).is_err());
    }

    #[test]
    fn half_a_mail_server_is_none() {
        for (toml, missing) in [
            ("smtp_host = \"mail.example.org\"", "TESSERA_SMTP_FROM"),
            ("smtp_from = \"a@example.org\"", "TESSERA_SMTP_HOST"),
            ("smtp_username = \"a\"", "TESSERA_SMTP_PASSWORD"),
            ("smtp_password = \"a\"", "TESSERA_SMTP_USERNAME"),
            ("smtp_username = \"a\"\nsmtp_password = \"hush\"", "TESSERA_SMTP_HOST"),
        ] {
            let refused = load(toml, &[]).expect_err(toml).to_string();
            assert!(refused.contains(missing) && !refused.contains("hush"), "{refused}");
        }
        for toml in ["smtp_port = 0", "smtp_timeout = 0", "smtp_timeout = 61"] {
            assert!(load(toml, &[]).expect_err(toml).to_string().contains("must be from"));
        }
        let whole = [("TESSERA_SMTP_HOST", "mail.example.org"), ("TESSERA_SMTP_FROM", "a@example.org")];
        let config = load("smtp_tls = \"tls\"", &whole).expect("loads");
        assert_eq!((config.smtp_tls, config.smtp_port), (SmtpTls::Tls, 25));
        assert_eq!(load("", &[("TESSERA_SMTP_TLS", "starttls")]).expect("loads").smtp_tls, SmtpTls::StartTls);
        assert!(load("smtp_tls = \"maybe\"", &[]).is_err());
    }

    #[test]
    fn the_external_address_is_one() {
        let read = |address: &str| load("", &[("TESSERA_EXTERNAL_URL", address)]);
        for bad in ["id.example.org", "ftp://a", "https://", "https://:1", "https://u@a", "https://a/?b", "https://a#b"]
        {
            assert!(read(bad).expect_err(bad).to_string().contains("external_url"), "{bad}");
        }
        let config = read("https://id.example.org:8443/sso/").expect("loads");
        assert_eq!(config.external_url(), Some("https://id.example.org:8443/sso"));
    }

    #[test]
    fn secrets_are_not_in_the_debug_output() {
        let config = load("", &[("TESSERA_SECRET_KEY", "hush"), ("TESSERA_BOOTSTRAP_TOKEN", "hush")]).expect("loads");
        assert!(!format!("{config:?}").contains("hush"));
    }
}
