//! How the broker's work grows with what it is given: the library itself, with AWS answered from memory, so that
//! what is timed is the broker's work and the SDK's, and neither a network nor another process.

mod aws;
mod clock;
mod document;
mod series;
mod stage;
mod table;

use series::{Batch, Series};

/// What stops a measurement.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    // Where the broker would pause, the runtime's clock is moved on instead.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let (all, batch): (Vec<Series>, Batch) = runtime.block_on(async {
        let mut all = series::allowlist()?;
        all.extend(series::rules()?);
        all.push(series::policy().await?);
        all.extend(series::request().await?);
        let batch = Batch::measure().await?;
        all.push(batch.series());
        Ok::<_, Failure>((all, batch))
    })?;
    table::print(&all);
    table::print_batch(&batch);
    Ok(())
}
