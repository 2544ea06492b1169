//! What the server is measured against (`just bench`): bare hyper, alone and with one SeaORM read.
//!
//! `bench-baseline --response FILE --database FILE [--readers N] [--rows N]`
//!
//! - `/bytes` answers what `--response` holds: header lines, an empty line, a body.
//! - `/read/<n>` answers row `n` of a table with the columns of a token as JSON, found by its primary key with
//!   one statement. The database is made on the first start, in the way the server opens its own (write-ahead
//!   log, `--readers` connections).
//!
//! It listens on a free port of the loopback address and prints the address.

use std::{convert::Infallible, error::Error, path::PathBuf, process::ExitCode, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, EntityTrait as _, Schema,
    sqlx::sqlite::SqliteJournalMode,
};
use tokio::net::TcpListener;
use uuid::Uuid;

/// A row as wide as a token's.
mod token {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
    #[sea_orm(table_name = "token")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub pk: Uuid,
        pub managed: Option<String>,
        pub identifier: String,
        pub intent: String,
        pub user: i64,
        pub description: String,
        pub expires: Option<DateTimeUtc>,
        pub expiring: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

type Failure = Box<dyn Error + Send + Sync>;
type Answer = Response<Full<Bytes>>;

/// What the arguments ask for.
struct Asked {
    response: PathBuf,
    database: PathBuf,
    readers: u32,
    rows: u32,
}

impl Asked {
    fn from_arguments() -> Result<Self, Failure> {
        let mut asked = Self { response: PathBuf::new(), database: PathBuf::new(), readers: 4, rows: 1000 };
        let mut arguments = std::env::args().skip(1);
        while let Some(flag) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--response" => asked.response = value.into(),
                "--database" => asked.database = value.into(),
                "--readers" => asked.readers = value.parse()?,
                "--rows" => asked.rows = value.parse()?,
                _ => return Err(format!("{flag} is not known").into()),
            }
        }
        Ok(asked)
    }
}

struct Baseline {
    headers: HeaderMap,
    body: Bytes,
    database: DatabaseConnection,
    rows: u32,
}

impl Baseline {
    async fn open(asked: &Asked) -> Result<Self, Failure> {
        let recorded = String::from_utf8(std::fs::read(&asked.response)?)?;
        let (head, body) = recorded.split_once("\n\n").ok_or("the response has no empty line")?;
        let mut headers = HeaderMap::new();
        for line in head.lines() {
            let (name, value) = line.split_once(": ").ok_or("a header line has no colon")?;
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        let fresh = !asked.database.exists();
        let mut options = ConnectOptions::new(format!("sqlite:{}", asked.database.display()));
        options
            .max_connections(asked.readers)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .sqlx_logging(false)
            .map_sqlx_sqlite_opts(|sqlite| sqlite.create_if_missing(true).journal_mode(SqliteJournalMode::Wal));
        let database = Database::connect(options).await?;
        if fresh {
            let table = Schema::new(database.get_database_backend()).create_table_from_entity(token::Entity);
            database.execute(&table).await?;
            token::Entity::insert_many((0..asked.rows).map(row)).exec(&database).await?;
        }
        Ok(Self { headers, body: Bytes::copy_from_slice(body.as_bytes()), database, rows: asked.rows })
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Failure> {
        let path = request.uri().path();
        if path == "/bytes" {
            let mut response = Response::new(Full::new(self.body.clone()));
            *response.headers_mut() = self.headers.clone();
            return Ok(response);
        }
        let number = path.strip_prefix("/read/").and_then(|number| number.parse::<u32>().ok());
        let Some(number) = number.filter(|number| *number < self.rows) else {
            return Ok(status(StatusCode::NOT_FOUND));
        };
        let Some(found) = token::Entity::find_by_id(key(number)).one(&self.database).await? else {
            return Ok(status(StatusCode::NOT_FOUND));
        };
        let mut response = Response::new(Full::new(serde_json::to_vec(&found)?.into()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }
}

fn status(status: StatusCode) -> Answer {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}

fn key(number: u32) -> Uuid {
    Uuid::from_u128(0x6fa4_59ea_ee8a_4ca4_894e_db77_0000_0000 | u128::from(number))
}

fn row(number: u32) -> token::ActiveModel {
    use sea_orm::Set;
    token::ActiveModel {
        pk: Set(key(number)),
        managed: Set(None),
        identifier: Set(format!("bench-{number}")),
        intent: Set("api".to_owned()),
        user: Set(1),
        description: Set("One of the tokens that the benchmark reads".to_owned()),
        expires: Set(chrono::DateTime::from_timestamp(1_900_000_000, 0)),
        expiring: Set(true),
    }
}

async fn serve(baseline: Baseline) -> Result<(), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("address   http://{}", listener.local_addr()?);
    let baseline = Arc::new(baseline);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let baseline = Arc::clone(&baseline);
        let service = service_fn(move |request| {
            let baseline = Arc::clone(&baseline);
            async move {
                let answered = baseline.answer(request).await;
                Ok::<_, Infallible>(answered.unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR)))
            }
        });
        tokio::spawn(async move {
            // A client that goes away ends its connection; nothing is lost.
            let _ =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let run = async { serve(Baseline::open(&Asked::from_arguments()?).await?).await };
    if let Err(error) = run.await {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
