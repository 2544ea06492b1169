//! What of Python works, and how what does not is refused.

use super::{asked, fault, message, saved};
use crate::harness::{Server, tests};
use tessera::policy::Fault;

tests![
    mistakes_are_refused_on_save,
    truth_is_pythons,
    what_the_prelude_adds,
    addresses,
    formatting,
    exceptions_in_pythons_words,
    the_clock_is_the_requests,
    nothing_is_remembered,
    log_lines,
];

async fn mistakes_are_refused_on_save(server: &Server) {
    assert_eq!(saved(server, "return True").await, "taken");
    for (source, text) in [
        ("return (True", "'(' was never closed (temp-policy, line 2)"),
        ("x = 1\n\nyield x", "'yield' is not supported (temp-policy, line 4)"),
        ("del x", "the 'del' statement is not supported (temp-policy, line 2)"),
        ("match 1:\n    case _:\n        pass", "the 'match' statement is not supported (temp-policy, line 2)"),
    ] {
        let said = saved(server, source).await;
        assert!(said.contains(&format!("Expression Syntax Error: {text}")), "{source}: {said}");
        // One that got into the database all the same fails, and says why.
        let failed = fault(server, source).await;
        assert!(failed.starts_with("Expression Syntax Error: "), "{failed}");
    }
}

async fn truth_is_pythons(server: &Server) {
    let none = "from authentik.core.models import User\nq = User.objects.filter(username='nobody at all')\n";
    for test in [
        "if q:\n    return True\nreturn False",
        "return q",
        "return bool(q)",
        "return not (not q)",
        "return True if q else False",
        "return any([q])",
        "return all([q])",
        "return len(q)",
        "return (q and True) or False",
        "return [x for x in [1] if q]",
        "return len(list(filter(None, [q])))",
        "while q:\n    return True\nreturn False",
        "return (x for x in []) is None",
    ] {
        assert!(!asked(server, &format!("{none}{test}")).await.expect("runs").passing, "{test}");
    }
    for test in ["return User.objects.filter(username='akadmin')", "return User.objects", "return (x for x in [])"] {
        assert!(asked(server, &format!("{none}{test}")).await.expect("runs").passing, "{test}");
    }
}

async fn what_the_prelude_adds(server: &Server) {
    for source in [
        "return {'a': 1} | {'b': 2} == {'a': 1, 'b': 2} and {1} | {2} == {1, 2} and 1 | 2 == 3",
        "return callable(len) and callable(lambda: 1) and callable(regex_match) and not callable(1)",
        "return sorted(['bb', 'a'], key=len) == ['a', 'bb'] and sorted([1, 2], reverse=True) == [2, 1]",
        "return list(map(lambda x: x + 1, [1, 2])) == [2, 3] and list(filter(None, [0, 1])) == [1]",
        "g = (x for x in [1, 2])\nreturn list(g) == [1, 2] and list(g) == []",
        "return format(3.14159, '.2f') == '3.14' and list(reversed([1, 2])) == [2, 1]",
        "from uuid import UUID, uuid5, NAMESPACE_DNS as D\nreturn str(uuid5(D, 'example.test')) == str(UUID(str(uuid5(D, 'example.test'))))",
        "from django.utils import timezone\nfrom datetime import timedelta\nreturn timezone.now() + timedelta(1) > timezone.now()",
        "import time\nreturn time.time() > 0",
        "return slugify('Ä b', allow_unicode=True) == 'ä-b' and slugify(' A  b- ') == 'a-b'",
        "from authentik.core.models import UserTypes\nreturn UserTypes.INTERNAL == 'internal'",
        "from authentik.lib.config import CONFIG\nreturn CONFIG.get('x.y', 5) == 5",
        "len = 3\nreturn len == 3",
    ] {
        assert!(asked(server, source).await.expect("runs").passing, "{source}");
    }
}

async fn addresses(server: &Server) {
    for source in [
        "return ip_address('10.1.2.3') in ip_network('10.0.0.0/8')",
        "return ip_address('11.1.2.3') not in ip_network('10.0.0.0/8')",
        "return ip_address('::1') in ip_network('::/0') and ip_address('::1') not in ip_network('0.0.0.0/0')",
        "return ak_client_ip in ip_network('127.0.0.0/8') and ak_client_ip.is_loopback",
        "return str(ip_network('10.0.0.1/8', strict=False)) == '10.0.0.0/8'",
        "return ip_network('10.1.0.0/16').subnet_of(ip_network('10.0.0.0/8'))",
        "return any(ak_client_ip in ip_network(n) for n in ['10.0.0.0/8', '127.0.0.1'])",
        "return {ip_address('::1'): 1}[ip_address('0:0::1')] == 1",
    ] {
        assert!(asked(server, source).await.expect("runs").passing, "{source}");
    }
    let text = "'x' does not appear to be an IPv4 or IPv6 address";
    assert_eq!(fault(server, "return ip_address('x')").await, text);
    assert_eq!(fault(server, "return ip_network('10.0.0.1/8')").await, "10.0.0.1/8 has host bits set");
}

async fn formatting(server: &Server) {
    for (source, expected) in [
        ("'%s-%d' % ('a', 3)", "a-3"),
        ("'%5.1f|%-4s|%04d|%x|%%' % (3.14159, 'a', 7, 255)", "  3.1|a   |0007|ff|%"),
        ("'%(a)s' % {'a': 1}", "1"),
        ("'%r' % 'a'", "'a'"),
        ("'{:>5}{a}'.format('x', a=1)", "    x1"),
        ("f'{1 + 1:03d}'", "002"),
        ("7 % 4", "3"),
    ] {
        assert_eq!(message(server, &format!("ak_message({source})")).await, expected, "{source}");
    }
    assert_eq!(fault(server, "return '%s %s' % 'a'").await, "not enough arguments for format string");
}

async fn exceptions_in_pythons_words(server: &Server) {
    for (source, text) in [
        ("return {}['nope']", "'nope'"),
        ("return 1 / 0", "division by zero"),
        ("raise ValueError('own')", "own"),
        ("raise ValueError", ""),
        ("return undefined", "name 'undefined' is not defined"),
        ("return None.x", "'NoneType' object has no attribute 'x'"),
        ("return int('abc')", "invalid literal for int() with base 10: 'abc'"),
        ("def f(a): pass\nf()", "f() missing 1 required positional argument: 'a'"),
    ] {
        assert_eq!(asked(server, source).await, Err(Fault::Policy(text.into())), "{source}");
    }
}

async fn the_clock_is_the_requests(server: &Server) {
    let source = "from datetime import datetime, date\nfrom django.utils.timezone import now\nak_message(now().isoformat())\n\
        ak_message(datetime.now().isoformat())\nak_message(date.today())";
    let messages = asked(server, source).await.expect("runs").messages;
    assert_eq!(messages, ["2026-01-02T03:04:05.678901+00:00", "2026-01-02T03:04:05.678901", "2026-01-02"]);
}

/// One run leaves nothing to the next, though both are in the same process.
async fn nothing_is_remembered(server: &Server) {
    let source = "global seen\ntry:\n    seen\nexcept NameError:\n    seen = 1\n    context['x'] = 1\n    return True\nreturn False";
    for _ in 0..6 {
        assert!(asked(server, source).await.expect("runs").passing);
        assert!(!asked(server, "return 'x' in context").await.expect("runs").passing);
    }
}

async fn log_lines(server: &Server) {
    let source = "log = ak_logger.bind(a=1)\nlog.warning('x %s', 2, b=[3])\nak_logger.debug('y')\nreturn None";
    let outcome = asked(server, source).await.expect("runs");
    let lines: Vec<_> = outcome.log.iter().map(|l| (l.level, l.logger.as_str(), l.event.as_str())).collect();
    let evaluator = "authentik.policies.expression.evaluator";
    let expected = [
        ("warning", "a policy", "x 2"),
        ("debug", "a policy", "y"),
        ("warning", evaluator, "Expression policy returned None"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(serde_json::Value::from(outcome.log[0].attributes.clone()), serde_json::json!({"a": 1, "b": [3]}));
    assert_eq!(outcome.log[2].attributes["policy"], "a policy");
}
