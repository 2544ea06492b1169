//! Expressions that mean harm, or do it by mistake: each ends with a clear text, and the next one runs as
//! fast as before. The server's own memory does not move.

use super::{Policies, asked, fault, saved};
use crate::harness::{Server, tests};
use std::time::{Duration, Instant};
use tessera::policy::Fault;

tests![
    endless_loops_are_cut_off,
    bombs_burst_in_the_worker,
    recursion_has_an_end,
    deep_values_do_no_harm,
    no_files,
    no_modules_but_ours,
    no_way_through_dunders,
    a_pattern_that_backtracks,
    texts_that_nest_without_end,
    a_killed_worker_is_replaced,
    many_at_once,
    policies_that_call_each_other,
    too_many_questions,
    nothing_is_left_behind,
];

/// A server whose expressions get a second.
async fn short(server: &Server) -> Server {
    server.another(|config| config.expression_timeout = 1).await
}

/// What this process has in memory, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or_default()
}

/// The next expressions run as ever.
async fn works(server: &Server) {
    for _ in 0..4 {
        assert!(asked(server, "return 1 + 1 == 2").await.expect("runs").passing);
    }
    let started = Instant::now();
    assert!(asked(server, "return 1 + 1 == 2").await.expect("runs").passing);
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

async fn endless_loops_are_cut_off(server: &Server) {
    let server = short(server).await;
    for source in [
        "while True:\n    pass",
        "x = 0\nwhile True:\n    x += 1",
        "try:\n    while True:\n        pass\nexcept BaseException:\n    return True",
        "while True:\n    try:\n        while True:\n            pass\n    finally:\n        continue",
        "import itertools\nfor i in itertools.count():\n    pass",
        "return sum(x for x in range(10 ** 15))",
        "return len('x' * 10 ** 6 * 1) and [y for y in range(10 ** 12)] == []",
    ] {
        let started = Instant::now();
        let text = fault(&server, source).await;
        let ended =
            text == "Expression timed out after 1 seconds." || text == "Expression used more than 32 MiB of memory.";
        assert!(ended, "{source}: {text}");
        assert!(started.elapsed() < Duration::from_secs(3), "{source}: {:?}", started.elapsed());
        works(&server).await;
    }
    server.end().await;
}

async fn bombs_burst_in_the_worker(server: &Server) {
    works(server).await;
    let before = resident();
    for source in [
        "a = []\nwhile True:\n    a.append('x' * 1000)",
        "d = {}\ni = 0\nwhile True:\n    i += 1\n    d[i] = str(i) * 100",
        "return 'x' * (10 ** 12)",
        "return [0] * (10 ** 10)",
        "x = 'x'\nwhile True:\n    x = x + x",
        "return 10 ** (10 ** 9)",
        "return list(range(10 ** 9))",
        "return (1 << (10 ** 12)) > 0",
        "return ('%' + '9' * 12 + 'd') % 1",
        "return f'{1:>999999999999}'",
        "return 'a'.ljust(10 ** 12)",
        "return bytes(10 ** 12)",
        "while True:\n    ak_message('x' * 100000)",
        "while True:\n    ak_logger.info('x' * 100000)",
    ] {
        let text = fault(server, source).await;
        let clear = [
            "Expression used more than 32 MiB of memory.",
            "Expression timed out after 5 seconds.",
            "Expression ended its interpreter.",
        ];
        let caught =
            clear.contains(&text.as_str()) || text.to_lowercase().contains("too large") || text.contains("too many");
        assert!(caught, "{source}: {text}");
        works(server).await;
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 * 1024, "the server grew by {grown} KiB");
}

async fn recursion_has_an_end(server: &Server) {
    assert_eq!(fault(server, "def f():\n    return f()\nreturn f()").await, "maximum recursion depth exceeded");
    let inner = "class A:\n    def __str__(self):\n        return str(self)\nreturn str(A())";
    let text = fault(server, inner).await;
    assert!(text == "maximum recursion depth exceeded" || text == "Expression ended its interpreter.", "{text}");
    works(server).await;
}

async fn deep_values_do_no_harm(server: &Server) {
    let nested = "x = []\nfor i in range(100000):\n    x = [x]\n";
    for ending in [
        "return x",
        "context['x'] = x\nreturn True",
        "ak_create_event('x', x=x)",
        "ak_logger.info('x', x=x)",
        "ak_message(x)",
    ] {
        let outcome = asked(server, &format!("{nested}{ending}")).await;
        assert!(!matches!(outcome, Err(Fault::Other(_))), "{ending}: {outcome:?}");
        works(server).await;
    }
    let circular = "x = []\nx.append(x)\ncontext['x'] = x\nak_message(x)\nreturn True";
    let outcome = asked(server, circular).await;
    assert!(!matches!(outcome, Err(Fault::Other(_))), "{outcome:?}");
    works(server).await;
}

async fn no_files(server: &Server) {
    let text = "Expressions have no access to files.";
    for source in [
        "return open('/etc/passwd').read()",
        "with open('/tmp/x', 'w') as f:\n    f.write('x')",
        "from pathlib import Path\nreturn Path('/etc/passwd').read_text()",
        "from pathlib import Path\nreturn Path('/').exists()",
        "from pathlib import Path\nreturn list(Path('/').iterdir())",
    ] {
        assert_eq!(fault(server, source).await, text, "{source}");
    }
    assert!(
        asked(server, "import os\nreturn os.environ == {} and os.getenv('PATH') is None").await.expect("runs").passing
    );
    for source in ["return requests.get('http://127.0.0.1/')", "return requests.request('GET', 'http://127.0.0.1/')"] {
        assert_eq!(fault(server, source).await, "Expressions have no network access.");
    }
    assert!(asked(server, "return resolve_dns('localhost') == []").await.expect("runs").passing);
}

async fn no_modules_but_ours(server: &Server) {
    for name in ["subprocess", "socket", "ctypes", "importlib", "builtins", "zz_none", "authentik.root.settings"] {
        assert_eq!(fault(server, &format!("import {name}")).await, format!("No module named '{name}'"));
    }
    let text = fault(server, "import os\nreturn os.system('true')").await;
    assert_eq!(text, "module 'os' has no attribute 'system'");
}

async fn no_way_through_dunders(server: &Server) {
    for source in [
        "return ().__class__.__bases__[0].__subclasses__()",
        "return ''.__class__.__mro__",
        "return (lambda: 1).__globals__",
        "return (lambda: 1).__code__",
        "return __builtins__",
        "return __import__('os')",
        "return request.__dict__",
        "return request.__class__.__init__.__globals__",
        "return eval('1')",
        "return exec('1')",
        "return compile('1', 'x', 'eval')",
        "return globals()",
    ] {
        let text = fault(server, source).await;
        assert!(text.contains("has no attribute") || text.contains("is not defined"), "{source}: {text}");
    }
    // The prelude's own ways to the server are no secret, and give no more than what it offers.
    for source in
        ["return _tsr_host('query', 5)", "return _tsr_host('secrets', None)", "return _tsr_host('call_policy', {})"]
    {
        assert_eq!(fault(server, source).await, "This question is not understood.");
    }
    assert!(fault(server, "return _tsr_native('open', '/etc/passwd')").await.starts_with("no native function"));
}

async fn a_pattern_that_backtracks(server: &Server) {
    works(server).await;
    let before = resident();
    for source in [
        "return regex_match('a' * 40 + 'b', r'^(a+)+$')",
        "return regex_match('a' * 5000 + 'b', r'^(a|aa)+\\1$')",
        "import re\nreturn re.search(r'(x+x+)+y', 'x' * 5000)",
        "return regex_match('x', '(?:' * 5000 + 'x' + ')' * 5000)",
        "return regex_match('x', 'x{1,65535}{1,65535}{1,65535}')",
        "return regex_replace('a' * 100, '(a*)*', 'b' * 100000)",
    ] {
        let started = Instant::now();
        let outcome = asked(server, source).await;
        assert!(!matches!(outcome, Err(Fault::Other(_))), "{source}: {outcome:?}");
        assert!(started.elapsed() < Duration::from_secs(8), "{source}: {:?}", started.elapsed());
        works(server).await;
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 * 1024, "the server grew by {grown} KiB");
}

async fn texts_that_nest_without_end(server: &Server) {
    for source in [
        format!("return {}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("return {}1", "-".repeat(50_000)),
        format!("return {}x", "not ".repeat(50_000)),
        format!("return {}", "x.".repeat(50_000) + "x"),
        format!("return {}", "1+".repeat(50_000) + "1"),
        format!("return {}", "x if x else ".repeat(10_000) + "x"),
        format!("return f'{}'", "{x:".repeat(5000)),
        format!("x = {}", "a, ".repeat(200_000)),
        (0..200).map(|n| format!("{}if x:\n", " ".repeat(n))).collect::<String>() + &" ".repeat(201) + "pass",
    ] {
        // Whether it is taken matters less than that somebody is there to say so.
        let said = saved(server, &source).await;
        assert!(!said.starts_with("other"), "{}…: {said}", &source[..20]);
        let outcome = asked(server, &source).await;
        assert!(!matches!(outcome, Err(Fault::Other(_))), "{}…: {outcome:?}", &source[..20]);
        works(server).await;
    }
}

/// Ends processes from outside.
fn kill(processes: &[u32]) {
    let ids: Vec<String> = processes.iter().map(ToString::to_string).collect();
    let status = std::process::Command::new("kill").arg("-9").args(ids).status().expect("kill runs");
    assert!(status.success());
}

async fn a_killed_worker_is_replaced(server: &Server) {
    works(server).await;
    for _ in 0..3 {
        let waiting = server.app.expressions.idle_workers();
        assert!(!waiting.is_empty(), "a worker waits");
        kill(&waiting);
        works(server).await;
    }
    // In the middle of a run.
    let pool = server.app.expressions.clone();
    let waiting = pool.idle_workers();
    let (text, ()) = tokio::join!(fault(server, "while True:\n    pass"), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        kill(&waiting);
    });
    assert_eq!(text, "Expression ended its interpreter.");
    works(server).await;
}

async fn many_at_once(server: &Server) {
    works(server).await;
    let runs = (0..50).map(|n| async move {
        let source = format!("ak_message({n})\nreturn {n} % 2 == 0");
        let outcome = asked(server, &source).await.expect("runs");
        assert_eq!((outcome.passing, outcome.messages), (n % 2 == 0, vec![n.to_string()]));
    });
    futures_util::future::join_all(runs).await;
    works(server).await;
}

async fn policies_that_call_each_other(server: &Server) {
    let policies = Policies(vec![
        ("again".into(), "return ak_call_policy('again').passing".into()),
        ("message".into(), "r = ak_call_policy('message')\nak_message(r.messages)\nreturn r.passing".into()),
        ("loop".into(), "while True:\n    pass".into()),
    ]);
    let ctx = super::over_http(server);
    let ask = |source: &'static str| {
        let (ctx, policies, server) = (&ctx, &policies, server);
        async move {
            let mut request = super::about(server, None, serde_json::Value::Null).await;
            tessera::policy::expression::evaluate(ctx, policies, "p", source, &mut request, super::LIMIT).await
        }
    };
    // Far more at once than there are workers: nobody waits for somebody who waits for him.
    let all = futures_util::future::join_all((0..20).map(|_| ask("return ak_call_policy('again').passing"))).await;
    assert!(all.iter().all(|outcome| outcome.as_ref().is_ok_and(|o| !o.passing)), "{all:?}");
    let outcome = ask("r = ak_call_policy('loop')\nak_message(r.messages)\nreturn True").await;
    // The one that is called runs out of time first, or the one that calls does.
    let text = "Expression timed out after 5 seconds.";
    let messages = vec![format!("('{text}',)")];
    assert!(
        outcome == Err(Fault::Policy(text.into())) || outcome.as_ref().is_ok_and(|o| o.messages == messages),
        "{outcome:?}"
    );
    assert_eq!(ask("return ak_call_policy('none')").await, Err(Fault::Policy("Policy 'none' not found.".into())));
    works(server).await;
}

async fn too_many_questions(server: &Server) {
    let text = fault(server, "while True:\n    ak_user_by(username='nobody')").await;
    assert!(text == "Expression asked the server too often." || text.starts_with("Expression timed out"), "{text}");
    works(server).await;
}

async fn nothing_is_left_behind(server: &Server) {
    let server = server.another(|_| {}).await;
    works(&server).await;
    let pool = server.app.expressions.clone();
    let workers = pool.idle_workers();
    assert!(!workers.is_empty());
    drop(pool);
    server.end().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    for worker in workers {
        let state = std::fs::read_to_string(format!("/proc/{worker}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "worker {worker} is still there: {state}");
    }
}
