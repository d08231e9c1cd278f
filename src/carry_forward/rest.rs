//! Having the rest of a carry sent on. It is the same request from the same requester, so that it is asked of the same door and
//! the same rules: a schedule can bring nothing in that the event did not.

use serde_json::json;
use tokio::time::Instant;

use super::Carry;
use crate::boxed::boxed;
use crate::expiry::Moment;
use crate::policy::Budget;
use crate::requester::Requester;
use crate::results;
use crate::schedule::{EXECUTION_ID, SECONDS_BETWEEN};

impl Carry<'_> {
    /// Whether what does not fit can be sent on: events alone have nobody who asks again.
    pub(super) fn can_send_rest(&self) -> bool {
        let is_event = matches!(self.requester, Requester::EventBridge { .. });
        is_event && self.broker.schedules.is_some() && !self.dry_run
    }

    /// Has the same event sent to the broker later, and says when. Without a step forward another one would stand still as
    /// well: then, and if it cannot be sent, the carry has failed, and AWS delivers its event again.
    pub(super) async fn send_rest(&mut self, version: i64, reason: Option<&str>) -> Option<Moment> {
        if !(self.is_cut_short && self.whole.has_given() && self.can_send_rest()) {
            return None;
        }
        let (Requester::EventBridge { account, source }, Some(schedules)) = (self.requester, &self.broker.schedules)
        else {
            return None;
        };
        let at = self.case.now.plus(SECONDS_BETWEEN)?;
        let mut detail = json!({
            "operation": "CarryLayerForward",
            "parameters": { "LayerName": self.layer, "VersionNumber": version },
        });
        if let (Some(reason), Some(detail)) = (reason, detail.as_object_mut()) {
            detail.insert("reason".to_owned(), json!(reason));
        }
        let event = json!({
            "id": EXECUTION_ID, "detail-type": results::REQUEST,
            "source": source.as_str(), "account": account.to_string(), "detail": detail,
        });
        let budget = Budget::new(self.broker.timing, self.deadline.saturating_duration_since(Instant::now()));
        let calls = &mut self.calls;
        match boxed(|| schedules.send_on("carry", &event, at, self.own, budget, calls)).await {
            Ok(()) => {
                self.whole.goes_on();
                Some(at)
            }
            Err(code) => {
                self.whole.fail(code);
                None
            }
        }
    }
}
