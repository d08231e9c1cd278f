//! How the broker's work grows with what it is given: the library itself, with AWS answered from memory, so that
//! what is timed is the broker's work and the SDK's, and neither a network nor another process.

mod aws;
mod clock;
mod document;
mod series;
mod stage;
mod table;

use series::Series;

/// What stops a measurement.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    // Where the broker would pause, the runtime's clock is moved on instead.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let all: Vec<Series> = runtime.block_on(async {
        let mut all = series::allowlist()?;
        all.extend(series::rules()?);
        all.push(series::policy().await?);
        all.extend(series::request().await?);
        all.push(series::batch().await?);
        Ok::<_, Failure>(all)
    })?;
    table::print(&all);
    Ok(())
}
