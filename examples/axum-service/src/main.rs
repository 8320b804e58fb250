//! The service as a program: settings from the environment, events to the terminal, an end with Ctrl-C.

use std::error::Error;

use cachekit::Environment;
use cachekit_example_axum::{Service, Settings, serve};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let settings = Settings::of(Environment::of_process())?;
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let service = Service::new(settings.cache()?, metrics)?;
    let listener = TcpListener::bind(settings.listen).await?;
    let interrupted = async {
        // Without signals it serves until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    serve(service, listener, interrupted).await?;
    Ok(())
}
