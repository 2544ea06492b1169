//! Accounts, groups and the request as expressions see them.

use super::{Policies, about, over_http};
use crate::harness::{Server, tests};
use serde_json::{Value, json};
use tessera::policy::{Fault, Outcome, expression};

tests![lookups, accounts, groups, http, nobody, no_secrets];

/// Somebody in a group below another, and what an expression says about him.
struct Somebody {
    ann: i64,
    staff: String,
}

async fn somebody(server: &Server) -> Somebody {
    let all = server.group("all", json!({"attributes": {"level": 1, "org": "acme"}, "is_superuser": true})).await;
    let staff = server.group("Staff", json!({"parent": all, "attributes": {"level": 3}})).await;
    let fields = json!({
        "username": "ann", "name": "Ann Äpfel", "email": "ann@example.test", "groups": [staff],
        "attributes": {"department": "IT", "n": 5, "address": {"city": "Bern"}, "settings": {"locale": "de"}},
    });
    let ann = server.admin().post("/core/users/", &fields).await.expect(201)["pk"].as_i64().expect("a key");
    let fields = json!({"username": "bob", "name": "Bob", "is_active": false, "attributes": {"n": 7}});
    server.admin().post("/core/users/", &fields).await.expect(201);
    Somebody { ann, staff }
}

async fn asked(server: &Server, user: Option<i64>, source: &str) -> Result<Outcome, Fault> {
    let mut request = about(server, user, json!({})).await;
    expression::evaluate(&over_http(server), &Policies::default(), "p", source, &mut request, super::LIMIT).await
}

async fn holds(server: &Server, user: Option<i64>, source: &str) {
    let outcome = asked(server, user, source).await;
    assert!(outcome.as_ref().is_ok_and(|outcome| outcome.passing), "{source}: {outcome:?}");
}

async fn lookups(server: &Server) {
    let Somebody { ann, staff } = somebody(server).await;
    let names = |lookups: &str| {
        format!(
            "from authentik.core.models import User\nreturn sorted(User.objects.filter({lookups}).values_list('username', flat=True))"
        )
    };
    for (lookup, expected) in [
        ("username='ann'", "['ann']"),
        ("username='ANN'", "[]"),
        ("username__iexact='ANN'", "['ann']"),
        ("name__icontains='bO'", "['bob']"),
        ("name__contains='bO'", "[]"),
        ("name__contains='pf'", "['ann']"),
        ("name__startswith='Ann '", "['ann']"),
        ("name__istartswith='aNN'", "['ann']"),
        ("email__endswith='@example.test'", "['ann']"),
        ("email__iendswith='@EXAMPLE.test'", "['ann']"),
        ("name__contains='%'", "[]"),
        ("username__in=['ann', 'bob', 'x']", "['ann', 'bob']"),
        ("username__in=['ann', 'bob'], is_active=False", "['bob']"),
        ("username__in=[]", "[]"),
        ("username='ann', last_login=None", "['ann']"),
        ("username='ann', last_login__isnull=False", "[]"),
        ("attributes__department='IT'", "['ann']"),
        ("attributes__n=5", "['ann']"),
        ("attributes__n__gt=4", "['ann', 'bob']"),
        ("attributes__n__gte=7.0", "['bob']"),
        ("attributes__n__in=[1, 7]", "['bob']"),
        ("attributes__department__istartswith='i'", "['ann']"),
        ("attributes__address__city='Bern'", "['ann']"),
        ("attributes__address={'city': 'Bern'}", "['ann']"),
        ("username__in=['ann', 'bob'], attributes__department__isnull=True", "['bob']"),
        ("ak_groups__name='Staff'", "['ann']"),
        ("ak_groups__parent__name='all'", "['ann']"),
        ("groups__name__iexact='staff', groups__attributes__level=3", "['ann']"),
        ("date_joined__lte='2026-01-02T03:04:05.678901Z', username='ann'", "['ann']"),
        ("date_joined__gt='2030-01-01'", "[]"),
    ] {
        let source = names(lookup).replace("return ", "ak_message(").to_owned() + ")\nreturn True";
        let outcome = asked(server, Some(ann), &source).await.unwrap_or_else(|fault| panic!("{lookup}: {fault}"));
        assert_eq!(outcome.messages, [expected], "{lookup}");
    }
    holds(server, Some(ann), &format!("return ak_is_group_member(request.user, pk='{staff}')")).await;
    holds(server, Some(ann), &format!("return ak_user_by(groups='{staff}') == request.user")).await;
    for (source, text) in [
        ("ak_user_by(password='x')", "Cannot resolve keyword 'password' into field. Choices are: ak_groups, "),
        ("ak_user_by(pk='abc')", "Field 'id' expected a number but got 'abc'."),
        ("ak_user_by(uuid='abc')", "['“abc” is not a valid UUID.']"),
        ("ak_user_by(name__regex='x')", "Unsupported lookup 'regex' for field 'name'"),
        ("ak_user_by(name='\\0')", "A string literal cannot contain NUL"),
        ("ak_user_by(username__in='abc')", "Field 'username' expected a list"),
    ] {
        let fault = asked(server, Some(ann), source).await.expect_err("refused").to_string();
        assert!(fault.starts_with(text), "{source}: {fault}");
    }
}

async fn accounts(server: &Server) {
    let Somebody { ann, .. } = somebody(server).await;
    for source in [
        "u = request.user\nreturn (str(u), u.username, u.name, u.email, u.type, u.path) == ('ann', 'ann', 'Ann Äpfel', 'ann@example.test', 'internal', 'users')",
        "return request.user.is_active and request.user.is_authenticated and not request.user.is_anonymous",
        "return request.user.is_superuser",
        "return not ak_user_by(username='bob').is_superuser",
        "return getattr(request.user, 'is_' + 'superuser')",
        "return len(request.user.uid) == 64 and type(request.user.uuid).__name__ == 'UUID'",
        "return request.user.last_login is None and request.user.date_joined.year == 2026",
        "return request.user.locale() == 'de' and request.user.avatar.startswith('data:')",
        "return request.user.attributes['address']['city'] == 'Bern'",
        "return request.user == ak_user_by(username='ann') and request.user != ak_user_by(username='bob')",
        "return {request.user: 1}[ak_user_by(pk=request.user.pk)] == 1",
        "return request.user.group_attributes() == {**{'level': 1, 'org': 'acme'}, **request.user.attributes}",
        "from authentik.core.models import User\ntry:\n    User.objects.get(username='x')\nexcept User.DoesNotExist:\n    return True",
        "from authentik.core.models import User\nreturn User.objects.filter(is_active=False).exclude(username='x').count() == 1",
        "from authentik.core.models import User\nreturn [u.username for u in User.objects.order_by('-username')][0] == 'bob'",
    ] {
        holds(server, Some(ann), source).await;
    }
    let fault = asked(server, Some(ann), "return request.user.nope").await;
    assert_eq!(fault, Err(Fault::Policy("'User' object has no attribute 'nope'".into())));
    for name in ["password", "set_password", "check_password", "save", "delete", "tokens"] {
        let fault = asked(server, Some(ann), &format!("return request.user.{name}")).await;
        assert_eq!(fault, Err(Fault::Policy(format!("'User' object has no attribute '{name}'"))));
    }
}

async fn groups(server: &Server) {
    let Somebody { ann, .. } = somebody(server).await;
    for source in [
        "return [g.name for g in request.user.ak_groups.all()] == ['Staff']",
        "return sorted(g.name for g in request.user.all_groups()) == ['Staff', 'all']",
        "return request.user.ak_groups.filter(name='Staff').exists() and not request.user.ak_groups.filter(name='all').exists()",
        "return request.user.ak_groups.count() == 1 and request.user.ak_groups.first().attributes['level'] == 3",
        "return request.user.ak_groups.first().parent.name == 'all' and request.user.ak_groups.first().parent.parent is None",
        "return list(request.user.ak_groups.values_list('name', 'is_superuser')) == [('Staff', False)]",
        "return request.user.ak_groups.values('name') == [{'name': 'Staff'}]",
        "from authentik.core.models import Group\ng = Group.objects.get(name='Staff')\nreturn request.user in g.users.all() and g.is_member(request.user)",
        "from authentik.core.models import Group\nreturn [c.name for c in Group.objects.get(name='all').children.all()] == ['Staff']",
        "from authentik.core.models import Group\nreturn Group.objects.filter(parent__name='all').first() == Group.objects.filter(children=None, users__username='ann').first()",
        "return str(request.user.ak_groups.first().pk) == str(request.user.ak_groups.first().group_uuid)",
        "return ak_is_group_member(request.user, name__in=('x', 'Staff')) and not ak_is_group_member(request.user, name='all')",
        "return not ak_user_has_authenticator(request.user)",
    ] {
        holds(server, Some(ann), source).await;
    }
}

async fn http(server: &Server) {
    for source in [
        "return http_request.path.startswith('/api/v3/') and http_request.method == 'POST'",
        "return http_request.META['HTTP_USER_AGENT'].startswith('python-requests') and http_request.META['REMOTE_ADDR'] == '127.0.0.1'",
        "return http_request.headers['User-Agent'] == http_request.META.get('HTTP_USER_AGENT')",
        "return http_request.get_host() == '127.0.0.1:9000' and http_request.GET['a'] == '1'",
        "return http_request.brand.branding_title and http_request.session == {} and http_request.COOKIES == {}",
        "return http_request is request.http_request",
        "return not http_request.tenant.default_user_change_email",
        "return 'Authorization' not in http_request.headers",
        "return ak_is_sso_flow is False and request.obj is None and request.debug",
    ] {
        holds(server, None, source).await;
    }
}

async fn nobody(server: &Server) {
    for source in [
        "return request.user.is_anonymous and not request.user.is_authenticated and request.user.pk is None",
        "return not request.user.ak_groups.all() and not request.user.all_groups().exists()",
        "return not ak_is_group_member(request.user, name='x')",
        "return request.user.group_attributes() == {}",
    ] {
        holds(server, None, source).await;
    }
    // Where no request came over HTTP.
    let mut request = about(server, None, Value::Null).await;
    let source = "return http_request is None and request.http_request is None";
    let ctx = server.system();
    let outcome = expression::evaluate(&ctx, &Policies::default(), "p", source, &mut request, super::LIMIT).await;
    assert!(outcome.expect("runs").passing);
}

/// Nothing of an account that lets somebody in reaches a worker.
async fn no_secrets(server: &Server) {
    let Somebody { ann, .. } = somebody(server).await;
    let source = "ak_message(str(_tsr_input))\nreturn request.user.avatar and http_request";
    let said = asked(server, Some(ann), source).await.expect("runs").messages.concat();
    assert!(said.contains("ann@example.test"));
    for word in ["password'", "argon2", "pbkdf2", "master key"] {
        assert!(!said.contains(word), "{word} in {said}");
    }
}
