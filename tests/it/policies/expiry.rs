//! What password expiry policies answer (contract: authentik-core §5.5): at the boundaries, with a
//! moved clock and with dates that are set behind the server's back.

use super::{fails, kinds::EXPIRY, make, outcome, passes};
use crate::harness::{Person, Server, tests};
use chrono::{TimeDelta, Utc};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};
use serde_json::json;
use tessera::{ctx::Clock as _, resource::users};

tests![
    the_last_moment,
    whole_days_count,
    days_that_are_none,
    dates_to_come,
    a_new_password_begins_anew,
    other_changes_do_not,
    ages_nobody_reaches,
];

const DAY: i64 = 86_400;
const EXPIRED: &str = "Password has expired.";

fn ago(days: i64) -> (bool, Vec<String>) {
    fails(&[&format!("Password expired {days} days ago. Please update your password.")])
}

/// Makes a password so many seconds old; below zero it is set in time to come.
async fn age(server: &Server, person: &Person, seconds: i64) {
    let date: chrono::DateTime<Utc> = server.clock.now() - TimeDelta::seconds(seconds);
    let update = users::Entity::update_many()
        .col_expr(users::Column::PasswordChangeDate, Expr::value(date))
        .filter(users::Column::Id.eq(i32::try_from(person.pk).expect("a small number")));
    assert_eq!(update.exec(server.app.db.write()).await.expect("updated").rows_affected, 1);
}

async fn policy(server: &Server, days: i64, deny_only: bool) -> String {
    make(server, &EXPIRY, &format!("{days} {deny_only}"), json!({"days": days, "deny_only": deny_only})).await
}

async fn the_last_moment(server: &Server) {
    let ann = server.person("ann").await;
    let (denies, ends) = (policy(server, 30, true).await, policy(server, 30, false).await);
    server.advance(TimeDelta::days(30) - TimeDelta::microseconds(1));
    assert_eq!(outcome(server, &denies, &ann, json!({})).await, passes());
    assert_eq!(outcome(server, &ends, &ann, json!({})).await, passes());
    server.advance(TimeDelta::microseconds(1));
    assert_eq!(outcome(server, &denies, &ann, json!({})).await, fails(&[EXPIRED]));
    assert_eq!(outcome(server, &ends, &ann, json!({})).await, ago(0));
}

/// Recorded from the original.
async fn whole_days_count(server: &Server) {
    let ann = server.person("ann").await;
    let denies = policy(server, 30, true).await;
    for (seconds, expected) in [
        (0, passes()),
        (29 * DAY, passes()),
        (30 * DAY - 60, passes()),
        (31 * DAY - 60, fails(&[EXPIRED])),
        (45 * DAY, fails(&[EXPIRED])),
        (400 * DAY, fails(&[EXPIRED])),
    ] {
        age(server, &ann, seconds).await;
        assert_eq!(outcome(server, &denies, &ann, json!({})).await, expected, "{seconds}");
    }
    let ends = policy(server, 30, false).await;
    for (seconds, expected) in [
        (30 * DAY - 60, passes()),
        (30 * DAY + 3600, ago(0)),
        (31 * DAY - 1, ago(0)),
        (31 * DAY, ago(1)),
        (45 * DAY, ago(15)),
        (400 * DAY, ago(370)),
    ] {
        age(server, &ann, seconds).await;
        assert_eq!(outcome(server, &ends, &ann, json!({})).await, expected, "{seconds}");
    }
    let (day, year) = (policy(server, 1, true).await, policy(server, 365, true).await);
    age(server, &ann, 2 * DAY).await;
    assert_eq!(outcome(server, &day, &ann, json!({})).await, fails(&[EXPIRED]));
    age(server, &ann, 364 * DAY).await;
    assert_eq!(outcome(server, &year, &ann, json!({})).await, passes());
}

async fn days_that_are_none(server: &Server) {
    let ann = server.person("ann").await;
    for (days, seconds, expected) in
        [(0, 0, ago(0)), (0, 3600, ago(0)), (-1, DAY, ago(2)), (-1, 0, ago(1)), (-30, 0, ago(30))]
    {
        age(server, &ann, seconds).await;
        let (ends, denies) = (policy(server, days, false).await, policy(server, days, true).await);
        assert_eq!(outcome(server, &ends, &ann, json!({})).await, expected, "{days} {seconds}");
        assert_eq!(outcome(server, &denies, &ann, json!({})).await, fails(&[EXPIRED]), "{days} {seconds}");
        for pk in [ends, denies] {
            server.admin().delete(&super::any(&pk)).await.expect_empty(204);
        }
    }
}

/// Whole days are counted downwards: an hour to come is a day that is not over.
async fn dates_to_come(server: &Server) {
    let ann = server.person("ann").await;
    for (days, seconds) in [(0, -3600), (0, -2 * DAY), (-1, -3 * DAY), (-1, -DAY - 3600), (-30, -40 * DAY)] {
        age(server, &ann, seconds).await;
        for deny_only in [true, false] {
            let pk = policy(server, days, deny_only).await;
            assert_eq!(outcome(server, &pk, &ann, json!({})).await, passes(), "{days} {seconds}");
            server.admin().delete(&super::any(&pk)).await.expect_empty(204);
        }
    }
}

async fn a_new_password_begins_anew(server: &Server) {
    let ann = server.person("ann").await;
    let denies = policy(server, 10, true).await;
    server.advance(TimeDelta::days(11));
    assert_eq!(outcome(server, &denies, &ann, json!({})).await, fails(&[EXPIRED]));
    let set = json!({"password": "Correct-Horse-1"});
    server.admin().post(&format!("/core/users/{}/set_password/", ann.pk), &set).await.expect_empty(204);
    assert_eq!(outcome(server, &denies, &ann, json!({})).await, passes());
    server.advance(TimeDelta::days(10));
    assert_eq!(outcome(server, &denies, &ann, json!({})).await, fails(&[EXPIRED]));
}

async fn other_changes_do_not(server: &Server) {
    let ann = server.person("ann").await;
    let denies = policy(server, 10, true).await;
    server.advance(TimeDelta::days(10));
    let changed = json!({"name": "Ann", "email": "ann@example.org", "attributes": {"a": 1}});
    server.admin().patch(&format!("/core/users/{}/", ann.pk), &changed).await.expect(200);
    assert_eq!(outcome(server, &denies, &ann, json!({})).await, fails(&[EXPIRED]));
}

/// They lead out of the calendar, at which the original crashes.
async fn ages_nobody_reaches(server: &Server) {
    let ann = server.person("ann").await;
    for (days, expected) in [
        (3_000_000, passes()),
        (i64::from(i32::MAX), passes()),
        (-800_000, ago(800_000)),
        (i64::from(i32::MIN), ago(2_147_483_648)),
    ] {
        let (ends, denies) = (policy(server, days, false).await, policy(server, days, true).await);
        assert_eq!(outcome(server, &ends, &ann, json!({})).await, expected, "{days}");
        assert_eq!(outcome(server, &denies, &ann, json!({})).await.0, expected.0, "{days}");
    }
}
