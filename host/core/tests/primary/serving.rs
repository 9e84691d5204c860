//! The primary's own driver: it is there as long as the primary, is given what clients
//! ask for, and each request is answered by one task, whoever starts it.

use super::bench::{Bench, node};
use wasmhost_core::primary::{Ask, Event, Refusal, Reply};
use wasmhost_core::record::{Recovered, RequestAnswer, RequestRecord, Write};
use wasmhost_proto::input::Array;
use wasmhost_proto::limits::{MAX_REQUESTS, MAX_SERVE_BACKOFF_MS, MAX_SERVED, SERVE_BACKOFF_MS};
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::plan::{JobPlan, NodePlan, OnFailure};
use wasmhost_proto::wire::{
    ChildEnd, DriverRequest, Load, NextRequest, Spawn, ToPrimary, ToWorker,
};
use wasmhost_proto::{JobId, Lease, TaskId};

type Held = (TaskId, Lease);

/// What a primary's driver runs; the name tells one from another.
fn front(name: &str) -> JobPlan {
    let driver = NodePlan {
        name: "front".into(),
        array: Array::Single,
        driver: true,
        ..node(1)
    };
    let work = NodePlan {
        name: "work".into(),
        array: Array::Spawned(0),
        ..node(1)
    };
    JobPlan {
        name: name.into(),
        on_failure: OnFailure::Continue,
        nodes: vec![driver, work],
        serves: true,
        ..JobPlan::default()
    }
}

fn serve(b: &mut Bench, plan: Option<JobPlan>) {
    let plan = plan.map(Box::new);
    b.event(Event::Serve { plan });
}

fn ask(b: &mut Bench, key: &str, node: &str) {
    let ask = Box::new(Ask {
        key: key.into(),
        node: node.into(),
        input: b"7".to_vec(),
    });
    b.event(Event::Ask { request: 9, ask });
}

/// The session of worker 1 has the driver, which runs.
fn take(b: &mut Bench) -> Held {
    b.want(1, 1, 1);
    let leases = b.leases();
    let driver = *leases.iter().find(|(task, _)| task.node == 0).unwrap();
    b.started(1, driver);
    driver
}

/// Lets time pass in which worker 1 is heard.
fn rest(b: &mut Bench, ms: u64) {
    let end = b.now + ms;
    while b.now < end {
        b.pass((end - b.now).min(500));
        b.say(1, ToPrimary::Beat(Load::default()));
    }
}

fn serving() -> (Bench, Held) {
    let mut b = Bench::new();
    b.worker(1, 2);
    serve(&mut b, Some(front("a")));
    let driver = take(&mut b);
    b.sent.clear();
    (b, driver)
}

fn listen(b: &mut Bench, (task, lease): Held, after: u64) {
    let next = NextRequest { task, lease, after };
    b.say(1, ToPrimary::NextRequest(Box::new(next)));
}

fn start(b: &mut Bench, (task, lease): Held, key: &str) {
    b.say(
        1,
        ToPrimary::Spawn(Box::new(Spawn {
            task,
            lease,
            key: key.into(),
            node: "work".into(),
            input: b"7".to_vec(),
        })),
    );
}

/// What drivers were given since the last call; none: no more.
fn given(b: &mut Bench) -> Vec<Option<DriverRequest>> {
    let given = b.sent.drain(..).filter_map(|(_, message)| match message {
        ToWorker::Request(given) => Some(given.request),
        _ => None,
    });
    given.collect()
}

fn keys(b: &mut Bench) -> Vec<Option<String>> {
    let given = given(b).into_iter();
    given.map(|request| request.map(|r| r.key)).collect()
}

fn some(key: &str) -> Vec<Option<String>> {
    vec![Some(key.to_owned())]
}

/// What is recorded of requests, the last of each.
fn recorded(b: &Bench) -> Vec<RequestRecord> {
    let mut records = std::collections::BTreeMap::new();
    for write in &b.writes {
        if let Write::Request(record) = write {
            records.insert(record.number, (**record).clone());
        }
    }
    records.into_values().collect()
}

fn answers(b: &Bench) -> Vec<Option<RequestAnswer>> {
    recorded(b)
        .into_iter()
        .map(|record| record.answer)
        .collect()
}

#[test]
fn a_request_is_given_once_it_is_durable_and_answered_by_one_task() {
    let (mut b, driver) = serving();
    b.instant = false;
    listen(&mut b, driver, 0);
    ask(&mut b, "a", "work");
    assert_eq!((keys(&mut b), b.replies.len()), (vec![], 0));
    b.event(Event::Persisted { seq: b.seq });
    assert_eq!(b.replies.pop(), Some(Ok(Reply::Request { created: true })));
    let request = given(&mut b).pop().flatten().unwrap();
    assert_eq!((&*request.key, &*request.node), ("request:a", "work"));
    b.instant = true;
    start(&mut b, driver, "request:a");
    start(&mut b, driver, "request:a");
    let task = TaskId {
        node: 1,
        ..driver.0
    };
    assert_eq!(answers(&b), [Some(RequestAnswer::Started(task))]);
    assert_eq!(b.primary.requests_waiting(), 0);
    // It waits for the next, and is given none twice.
    listen(&mut b, driver, request.number);
    assert_eq!(keys(&mut b), [], "there is none");
    ask(&mut b, "b", "work");
    assert_eq!(keys(&mut b), some("request:b"));
}

#[test]
fn an_attempt_that_begins_anew_is_given_what_waits() {
    let (mut b, driver) = serving();
    for key in ["a", "b", "c"] {
        ask(&mut b, key, "work");
    }
    listen(&mut b, driver, 0);
    let first = given(&mut b).pop().flatten().unwrap();
    start(&mut b, driver, &first.key);
    listen(&mut b, driver, first.number);
    assert_eq!(keys(&mut b), some("request:b"));
    b.end(1, driver, Some(FailureKind::LostExecutor));
    rest(&mut b, 1_000);
    let again = take(&mut b);
    assert_ne!(again.1, driver.1);
    b.sent.clear();
    listen(&mut b, again, 0);
    assert_eq!(keys(&mut b), some("request:b"), "`a` has its task");
    listen(&mut b, driver, 0);
    assert_eq!(keys(&mut b), [], "that attempt is over");
}

#[test]
fn a_restarted_primary_goes_on_with_its_job_and_its_requests() {
    let (mut b, driver) = serving();
    ask(&mut b, "a", "work");
    ask(&mut b, "b", "work");
    start(&mut b, driver, "request:a");
    let job = driver.0.job;
    let recovered = Recovered {
        last_job: Some(job),
        jobs: vec![*b.ended_job(job, front("a"))],
        requests: recorded(&b)
            .into_iter()
            .filter(|record| record.answer.is_none())
            .collect(),
        ..Recovered::default()
    };
    let mut b = Bench::recovered(2, recovered.clone());
    b.worker(1, 2);
    b.want(1, 2, 2);
    let leases = b.leases();
    let again = *leases.iter().find(|(task, _)| task.node == 0).unwrap();
    b.started(1, again);
    b.sent.clear();
    listen(&mut b, again, 0);
    assert_eq!(keys(&mut b), [], "nobody said yet who serves");
    serve(&mut b, Some(front("a")));
    assert_eq!(b.primary.serving_job(), Some(job));
    assert_eq!(keys(&mut b), some("request:b"));
    ask(&mut b, "c", "work");
    listen(&mut b, again, 1 << 32 | 2);
    assert_eq!(keys(&mut b), some("request:c"), "numbers grow over terms");

    // Without a driver the old one is told to go, and requests are refused.
    let mut b = Bench::recovered(2, recovered);
    b.worker(1, 2);
    let again = take(&mut b);
    b.sent.clear();
    listen(&mut b, again, 0);
    serve(&mut b, None);
    assert_eq!(keys(&mut b), [None]);
    ask(&mut b, "c", "work");
    assert_eq!(b.replies.pop(), Some(Err(Refusal::NoDriver)));
    assert_eq!(
        b.primary.requests_waiting(),
        1,
        "it is kept for a driver to come"
    );
}

#[test]
fn who_was_replaced_answers_what_its_successor_has_not() {
    let (mut b, driver) = serving();
    ask(&mut b, "a", "work");
    ask(&mut b, "b", "work");
    listen(&mut b, driver, 0);
    assert_eq!(keys(&mut b), some("request:a"));
    serve(&mut b, Some(front("b")));
    listen(&mut b, driver, 1);
    assert_eq!(keys(&mut b), [None]);
    let next = take(&mut b);
    assert_ne!(next.0.job, driver.0.job);
    b.sent.clear();
    listen(&mut b, next, 0);
    assert_eq!(keys(&mut b), some("request:a"));
    // Both start a task for it: the first wins.
    start(&mut b, driver, "request:a");
    start(&mut b, next, "request:a");
    let refused = b.sent.drain(..).any(|(_, message)| match message {
        ToWorker::Spawned(end) => matches!(end.end, ChildEnd::Refused(_)),
        _ => false,
    });
    assert!(refused);
    let task = TaskId {
        node: 1,
        ..driver.0
    };
    assert_eq!(answers(&b), [Some(RequestAnswer::Started(task)), None]);
}

#[test]
fn a_driver_that_ends_is_started_again_after_a_while() {
    let (mut b, driver) = serving();
    let check = |b: &mut Bench, held: Held, failure, wait: u64| {
        b.end(1, held, failure);
        assert_eq!(b.primary.serving_job(), None);
        rest(b, wait - 1);
        assert_eq!(b.primary.serving_job(), None, "{wait}");
        rest(b, 1);
        let job = b.primary.serving_job();
        assert!(job.is_some() && job != Some(held.0.job));
        take(b)
    };
    let mut held = check(&mut b, driver, None, SERVE_BACKOFF_MS);
    held = check(
        &mut b,
        held,
        Some(FailureKind::ModuleRejected),
        2 * SERVE_BACKOFF_MS,
    );
    for _ in 0..10 {
        b.end(1, held, None);
        rest(&mut b, MAX_SERVE_BACKOFF_MS);
        held = take(&mut b);
    }
    rest(&mut b, MAX_SERVE_BACKOFF_MS);
    b.event(Event::Cancel {
        request: 1,
        job: held.0.job,
        grace_ms: None,
    });
    assert_eq!(b.primary.serving_job(), None);
    rest(&mut b, SERVE_BACKOFF_MS);
    assert!(
        b.primary.serving_job().is_some(),
        "it had run well for long"
    );
}

#[test]
fn what_is_asked_is_checked() {
    let (mut b, _) = serving();
    let check = |b: &mut Bench, key: &str, node: &str, want: Result<Reply, Refusal>| {
        ask(b, key, node);
        assert_eq!(b.replies.pop(), Some(want), "{key} {node}");
    };
    let created = |created| Ok(Reply::Request { created });
    let none = Err(Refusal::NoSuchTask(vec!["work".into()]));
    check(&mut b, "a", "work", created(true));
    check(&mut b, "a", "work", created(false));
    check(&mut b, "a", "other", Err(Refusal::RequestKeyReused));
    check(&mut b, "b", "other", none.clone());
    check(&mut b, "b", "front", none);
    let withdraw = |b: &mut Bench, key: &str| {
        let key = key.into();
        b.event(Event::Withdraw { request: 9, key });
        b.replies.pop().unwrap()
    };
    assert_eq!(withdraw(&mut b, "a"), created(false));
    assert_eq!(withdraw(&mut b, "a"), Err(Refusal::NoSuchRequest));
    assert_eq!(answers(&b), [Some(RequestAnswer::Withdrawn)]);
    for n in 0..MAX_REQUESTS {
        ask(&mut b, &n.to_string(), "work");
    }
    check(
        &mut b,
        "more",
        "work",
        Err(Refusal::RequestsFull(MAX_REQUESTS)),
    );
    serve(&mut b, None);
    check(&mut b, "new", "work", Err(Refusal::NoDriver));
}

#[test]
fn nobody_else_is_given_requests() {
    let mut b = Bench::new();
    b.worker(1, 2);
    let plain = JobPlan {
        serves: false,
        ..front("a")
    };
    let id = b.submit(plain);
    serve(&mut b, Some(front("a")));
    ask(&mut b, "a", "work");
    b.want(1, 2, 2);
    let leases = b.leases();
    let of = |mine: &dyn Fn(JobId) -> bool| {
        let found = leases.iter().find(|(task, _)| mine(task.job));
        *found.unwrap()
    };
    let (other, server) = (of(&|job| job == id), of(&|job| job != id));
    b.sent.clear();
    listen(&mut b, other, 0);
    assert_eq!(keys(&mut b), [None]);
    // In a job that does not serve the key is the driver's own.
    start(&mut b, other, "request:a");
    assert_eq!(answers(&b), [None]);
    listen(&mut b, server, 0);
    assert_eq!(keys(&mut b), some("request:a"));
    // A key of which there is no request starts nothing.
    start(&mut b, server, "request:z");
    let refused = b.sent.drain(..).any(|(_, message)| match message {
        ToWorker::Spawned(end) => {
            end.end == ChildEnd::Refused("no request 'request:z' waits".into())
        }
        _ => false,
    });
    assert!(refused);
}

#[test]
fn a_job_that_has_started_enough_makes_way_for_the_next() {
    let (mut b, driver) = serving();
    for n in 0..MAX_SERVED {
        start(&mut b, driver, &n.to_string());
        b.writes.clear();
        b.sent.clear();
    }
    ask(&mut b, "a", "work");
    listen(&mut b, driver, 0);
    assert_eq!(keys(&mut b), [None]);
    let next = b.primary.serving_job();
    assert!(next.is_some() && next != Some(driver.0.job), "at once");
}
