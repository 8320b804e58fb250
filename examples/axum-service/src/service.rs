//! [`Service`]: two cached handlers, and what operators ask.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use cachekit::{Cache, Namespace, Result, cache};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// A shop that knows prices and users.
#[derive(Clone, Debug)]
pub struct Service {
    cache: Cache,
    users: Namespace<User>,
    metrics: PrometheusHandle,
}

/// Who buys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    name: String,
}

/// Computed once per id and minute, however many ask. If computing fails, an older price will do for an hour.
#[cache(ttl = "1m", stale_for = "1h")]
async fn price(id: u64) -> String {
    imagine_a_database().await;
    format!("{}.{:02} EUR", id % 90 + 9, id % 100)
}

impl Service {
    /// The service over `cache`, whose figures `metrics` renders.
    ///
    /// # Errors
    /// E046 if somebody else has opened `users` as something else.
    pub fn new(cache: Cache, metrics: PrometheusHandle) -> Result<Self> {
        let users = cache.namespace::<User>("users").ttl("1m".parse()?).open()?;
        Ok(Self { cache, users, metrics })
    }

    /// Its routes.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/price/{id}", get(show_price))
            .route("/user/{id}", get(show_user))
            .route("/metrics", get(show_metrics))
            .route("/healthz", get(show_health))
            .with_state(self)
    }
}

async fn show_price(State(service): State<Service>, Path(id): Path<u64>) -> String {
    // A program with one cache installs it (`cachekit::install`), and needs no scope.
    cachekit::scope(service.cache, async { price(id).await.clone() }).await
}

async fn show_user(State(service): State<Service>, Path(id): Path<u64>) -> Result<Json<Arc<User>>, StatusCode> {
    let load = || async {
        imagine_a_database().await;
        Ok::<_, Infallible>(User { name: format!("user {id}") })
    };
    // The only errors are the loader's: whatever the trouble with the cache, the loader runs.
    service.users.get_or_load(id, load).await.map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn show_metrics(State(service): State<Service>) -> String {
    service.cache.publish_metrics();
    service.metrics.render()
}

/// Well also while the cache is degraded: the service serves, and being restarted would not bring Redis back.
async fn show_health(State(service): State<Service>) -> (StatusCode, String) {
    let status = service.cache.status();
    let code = if status.closed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, status.to_string())
}

async fn imagine_a_database() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

/// Serves on `listener` until `ends` resolves, then finishes what is under way and closes the cache.
///
/// # Errors
/// What accepting connections fails with.
pub async fn serve(
    service: Service,
    listener: TcpListener,
    ends: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let cache = service.cache.clone();
    axum::serve(listener, service.routes()).with_graceful_shutdown(ends).await?;
    cache.close(Duration::from_secs(5)).await;
    Ok(())
}
