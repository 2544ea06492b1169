//! The query parameter `filters` (contract: sailpoint-pat §5).

use super::{ALL, BETA, ILLEGAL, V1, filtered, get, names, refill};
use crate::harness::{Client, Server, tests};
use chrono::TimeDelta;
use http::Method;

tests![
    two_primitives,
    together,
    what_a_listing_shows_fits,
    blanks_as_clients_write_them,
    for_everybodys_too,
    nothing_else,
    grammar,
    long_ones,
    deep_ones,
];

/// `never` was never used, `early` on the second, and `late` and `caller` on the twelfth of January.
async fn four(server: &Server) -> Client {
    let named = async |name: &str| server.pat_with(1, &[ALL], |new| new.name = name.to_owned()).await;
    named("never").await;
    server.trade(&named("early").await).await.expect(200);
    server.advance(TimeDelta::days(10));
    server.trade(&named("late").await).await.expect(200);
    let caller = server.bearer(&named("caller").await).await;
    tessera::jobs::usage::last(&server.app).await;
    caller
}

async fn fits(client: &Client, filters: &str) -> Vec<String> {
    let list = filtered(client, BETA, filters).await.expect(200);
    let mut names: Vec<String> = names(&list).into_iter().map(str::to_owned).collect();
    names.sort_unstable();
    names
}

async fn two_primitives(server: &Server) {
    let api = four(server).await;
    for (filters, expected) in [
        ("lastUsed isnull", &["never"][..]),
        ("lastUsed le 2026-01-05T10:59:27.214Z", &["early"]),
        ("lastUsed le 2026-01-02T03:04:05.679Z", &["early"]),
        ("lastUsed le 2026-01-02T03:04:05.677Z", &[]),
        ("lastUsed le 2026-01-02T03:04:05Z", &[]),
        ("lastUsed le 2026-01-02T03:04:06Z", &["early"]),
        ("lastUsed le 2026-01-12T03:04:06Z", &["caller", "early", "late"]),
        ("lastUsed le 2500-01-01T00:00:00.000Z", &["caller", "early", "late"]),
        ("lastUsed le 2026-01-02T04:04:05+00:30", &["early"]),
        ("lastUsed le 2026-01-02T03:04:06", &["early"]),
        ("  lastUsed   isnull  ", &["never"]),
    ] {
        assert_eq!(fits(&api, filters).await, expected, "{filters}");
    }
}

async fn together(server: &Server) {
    let api = four(server).await;
    let (early, none) = ("lastUsed le 2026-01-05T00:00:00.000Z", "lastUsed le 2026-01-01T00:00:00Z");
    for (filters, expected) in [
        ("not lastUsed isnull".to_owned(), &["caller", "early", "late"][..]),
        (format!("not {early}"), &["caller", "late"]),
        (format!("lastUsed isnull or {early}"), &["early", "never"]),
        (format!("lastUsed isnull and {early}"), &[]),
        (format!("{early} and not lastUsed isnull"), &["early"]),
        // And before or.
        (format!("lastUsed isnull or {early} and {none}"), &["never"]),
        (format!("{none} and {early} or lastUsed isnull"), &["never"]),
        (format!("(lastUsed isnull or {early}) and {none}"), &[]),
        // Not before and.
        (format!("not lastUsed isnull and {early}"), &["early"]),
        (format!("not {none} and not {early}"), &["caller", "late"]),
        (format!("not ({none} or {early})"), &["caller", "late"]),
        ("not not lastUsed isnull".to_owned(), &["never"]),
        ("not (not (lastUsed isnull))".to_owned(), &["never"]),
        ("((lastUsed isnull))".to_owned(), &["never"]),
        (format!("(lastUsed isnull)or({early})"), &["early", "never"]),
    ] {
        assert_eq!(fits(&api, &filters).await, expected, "{filters}");
    }
}

/// Who takes a time out of a listing and asks for what was used until then finds that one.
async fn what_a_listing_shows_fits(server: &Server) {
    let api = four(server).await;
    let list = super::mine(&api, BETA).await;
    for token in list.as_array().expect("an array") {
        let Some(time) = token["lastUsed"].as_str() else { continue };
        let name = token["name"].as_str().expect("a name").to_owned();
        assert!(fits(&api, &format!("lastUsed le {time}")).await.contains(&name), "{name} at {time}");
    }
}

async fn blanks_as_clients_write_them(server: &Server) {
    let api = four(server).await;
    for query in [
        "lastUsed%20le%202026-01-05T10%3A59%3A27.214Z",
        "lastUsed+le+2026-01-05T10%3A59%3A27.214Z",
        "lastUsed+le+2026-01-05T10:59:27.214Z",
        "lastUsed%20le+2026-01-05T10:59:27.214%2B00:00",
    ] {
        for at in [BETA, V1] {
            let list = get(&api, &format!("{at}?owner-id=me&filters={query}")).await.expect(200);
            assert_eq!(names(&list), ["early"], "{query}");
        }
    }
}

async fn for_everybodys_too(server: &Server) {
    let api = four(server).await;
    let ann = server.person("ann").await;
    server.pat_with(ann.pk, &[ALL], |new| new.name = "anns".to_owned()).await;
    let list = get(&api, &format!("{BETA}?filters=lastUsed+isnull")).await.expect(200);
    assert_eq!(names(&list), ["never", "anns"]);
}

async fn nothing_else(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for (filters, at) in [
        ("lastUsed eq 2026-01-05T00:00:00Z", 10),
        ("lastUsed ge 2026-01-05T00:00:00Z", 10),
        ("lastUsed lt 2026-01-05T00:00:00Z", 10),
        ("lastUsed in (\"2026-01-05T00:00:00Z\")", 10),
        ("lastUsed pr", 10),
        ("lastUsed LE 2026-01-05T00:00:00Z", 10),
        ("lastUsed isNull", 10),
        ("created le 2026-01-05T00:00:00Z", 1),
        ("lastused isnull", 1),
        ("name isnull", 1),
        ("lastUsed isnull and name eq \"x\"", 21),
        ("not (lastUsed isnull or managed isnull)", 25),
        ("lastUsed le yesterday", 13),
        ("lastUsed le 2026-13-05T00:00:00Z", 13),
        ("lastUsed isnull true", 17),
        ("   created isnull", 4),
        ("(lastUsed isnull) and ünknown isnull", 23),
    ] {
        let why = filtered(&api, BETA, filters).await.expect_code(400, ILLEGAL);
        assert!(why.contains(&format!("character {at}")), "{filters}: {why}");
    }
}

async fn grammar(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for filters in [
        "lastUsed",
        "isnull",
        "le",
        "lastUsed le",
        "and",
        "not",
        "()",
        "(",
        ")",
        "\"",
        "lastUsed isnull and",
        "and lastUsed isnull",
        "lastUsed isnull or or lastUsed isnull",
        "lastUsed isnull lastUsed isnull",
        "lastUsed isnull AND lastUsed isnull",
        "NOT lastUsed isnull",
        "(lastUsed isnull",
        "lastUsed isnull)",
        "lastUsed le \"2026-01-05",
        "lastUsed le (2026-01-05T00:00:00Z, 2026-01-06T00:00:00Z)",
        "lastUsed;isnull",
        "' or 1=1 --",
        "lastUsed le 2026-01-05T00:00:00Z 2026-01-05T00:00:00Z",
        "isnull lastUsed",
        "lastUsed=null",
        "%",
        "lastUsed is null",
        "lastUsed le null",
    ] {
        for at in [BETA, V1] {
            let why = filtered(&api, at, filters).await.expect_code(400, ILLEGAL);
            assert!(why.contains("character"), "{filters}: {why}");
        }
    }
    // A character that no text of a database holds.
    filtered(&api, BETA, "lastUsed isnull\0").await.expect_code(400, ILLEGAL);
    // Two conditions are none.
    let twice = "filters=lastUsed+isnull&filters=not+lastUsed+isnull";
    get(&api, &format!("{BETA}?owner-id=me&{twice}")).await.expect_code(400, ILLEGAL);
}

async fn long_ones(server: &Server) {
    let api = four(server).await;
    let mut chain = "lastUsed isnull".to_owned();
    while chain.len() + 19 <= 4096 {
        chain.push_str(" or lastUsed isnull");
    }
    assert_eq!(fits(&api, &chain).await, ["never"]);
    let all = "lastUsed isnull and ".repeat(203) + "lastUsed isnull";
    assert_eq!(fits(&api, &all).await, ["never"]);
    for long in [format!("{chain} or lastUsed isnull or lastUsed isnull"), "x".repeat(5000), " ".repeat(5000)] {
        filtered(&api, BETA, &long).await.expect_code(400, ILLEGAL);
    }
}

async fn deep_ones(server: &Server) {
    let api = four(server).await;
    let inside = |depth: usize| format!("{}lastUsed isnull{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(fits(&api, &inside(10)).await, ["never"]);
    assert_eq!(fits(&api, &format!("{}lastUsed isnull", "not ".repeat(10))).await, ["never"]);
    for deep in [inside(2000), "(".repeat(4000), format!("{}lastUsed isnull", "not ".repeat(1000))] {
        filtered(&api, BETA, &deep).await.expect_code(400, ILLEGAL);
    }
    refill(server);
    // Longer than anybody writes: any answer but none.
    let target = format!("{BETA}?filters={}", "(".repeat(60_000));
    let answer = api.outside(Method::GET, &target).untapped().send().await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
}
