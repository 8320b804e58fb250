//! The service while its Redis is killed and started again under load: no request fails, and operators see it all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cachekit::Environment;
use cachekit_example_axum::client::{Client, figure};
use cachekit_example_axum::{Service, Settings, serve};
use cachekit_testkit::fixtures::RedisServer;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// What the tasks that ask have seen.
#[derive(Debug, Default)]
struct Seen {
    next: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    over: AtomicBool,
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_goes_and_comes_back_under_load_and_no_request_fails() {
    let mut redis = RedisServer::start();
    let (address, stop, served) = start(&redis).await;
    let mut operator = Client::connect(address).await.expect("it listens");
    let seen = Arc::new(Seen::default());
    let tasks: Vec<_> = (0..4).map(|_| tokio::spawn(ask_on_and_on(address, Arc::clone(&seen)))).collect();

    let hits = |page: &str| figure(page, "cachekit_lookups_total", &["outcome=\"hit\""]);
    let is_in =
        |page: &str, state: &str| figure(page, "cachekit_breaker_state", &[&format!("state=\"{state}\"")]) == 1.0;
    let well = until(&mut operator, |page| hits(page) > 100.0 && is_in(page, "closed")).await;
    for namespace in ["cachekit_example_axum.service.price", "users"] {
        let label = format!("namespace=\"{namespace}\"");
        assert!(figure(&well, "cachekit_stores_total", &[&label]) > 0.0, "{namespace} stores nothing:\n{well}");
    }

    redis.kill();
    let ill = until(&mut operator, |page| is_in(page, "open")).await;
    assert!(figure(&ill, "cachekit_breaker_openings_total", &[]) >= 1.0);
    assert_eq!(figure(&ill, "cachekit_degraded", &[]), 1.0);
    let before = hits(&ill);
    // What is computed meanwhile is still kept in the process.
    until(&mut operator, |page| {
        figure(page, "cachekit_refusals_total", &["code=\"E030\""]) > 100.0 && hits(page) > before + 100.0
    })
    .await;
    let health = operator.get("/healthz").await.expect("answered");
    assert_eq!(health.status, 200);
    assert!(health.body.starts_with("degraded, redis"), "{}", health.body);

    redis.restart();
    let back =
        until(&mut operator, |page| is_in(page, "closed") && figure(page, "cachekit_degraded", &[]) == 0.0).await;
    let (stores, before) = (figure(&back, "cachekit_stores_total", &[]), hits(&back));
    until(&mut operator, |page| {
        figure(page, "cachekit_stores_total", &[]) > stores + 100.0 && hits(page) > before + 100.0
    })
    .await;

    seen.over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.expect("no task panics");
    }
    let (answered, failed) = (seen.answered.load(Ordering::Relaxed), seen.failed.load(Ordering::Relaxed));
    assert_eq!(failed, 0, "of {answered} requests");
    drop((operator, stop));
    served.await.expect("it does not panic").expect("it ends well");
}

/// The service before `redis`, with a breaker that is soon half open: where it listens, and what ends it.
async fn start(redis: &RedisServer) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<std::io::Result<()>>) {
    let variables = [("CACHEKIT_REDIS_URL", redis.url()), ("BREAKER_OPEN_SECONDS", "0.3".to_owned())];
    let settings = Settings::of(Environment::from_iter(variables)).expect("valid");
    let metrics = PrometheusBuilder::new().install_recorder().expect("the only recorder");
    let service = Service::new(settings.cache().expect("valid"), metrics).expect("opens");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(service, listener, async { drop(stopped.await) }));
    (address, stop, served)
}

/// Asks for one thing after another, each twice: the first time somebody has to find it, the second time it is here.
async fn ask_on_and_on(address: SocketAddr, seen: Arc<Seen>) {
    let mut client = Client::connect(address).await.expect("it listens");
    while !seen.over.load(Ordering::Relaxed) {
        let id = seen.next.fetch_add(1, Ordering::Relaxed);
        for path in [format!("/price/{id}"), format!("/user/{id}")] {
            for _ in 0..2 {
                let right = if path.starts_with("/user") { format!("{{\"name\":\"user {id}\"}}") } else { price(id) };
                let answer = client.get(&path).await;
                seen.answered.fetch_add(1, Ordering::Relaxed);
                if !answer.is_ok_and(|answer| answer.status == 200 && answer.body == right) {
                    seen.failed.fetch_add(1, Ordering::Relaxed);
                    client = Client::connect(address).await.expect("it listens");
                }
            }
        }
    }
}

fn price(id: u64) -> String {
    format!("{}.{:02} EUR", id % 90 + 9, id % 100)
}

/// Asks for the metrics until they are as they should be, and gives that page back.
async fn until(operator: &mut Client, is_so: impl Fn(&str) -> bool) -> String {
    let mut last = String::new();
    let asking = async {
        loop {
            last = operator.get("/metrics").await.expect("answered").body;
            if is_so(&last) {
                return;
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), asking).await.is_ok();
    assert!(in_time, "never so within a minute:\n{last}");
    last
}
