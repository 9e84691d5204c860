//! The calls about the primary's own driver. What a key stands for is read of the store
//! before the core decides, as for jobs.

use super::driver::Input;
use super::handle::{ApiRefusal, Handle, Stopped};
use wasmhost_core::primary::{Ask, Event, Refusal, Reply};
use wasmhost_proto::limits::REQUEST_KEY_PREFIX;
use wasmhost_proto::plan::JobPlan;

impl Handle {
    /// Says what the driver runs from now on; none when there is no driver.
    pub(crate) async fn serve(&self, plan: Option<JobPlan>) -> Result<(), Stopped> {
        self.keep_blobs(plan.iter()).await?;
        let plan = plan.map(Box::new);
        let serve = Input::Event(Event::Serve { plan });
        self.turns.bring(serve).await
    }

    /// Asks the driver for a task. The request is durable when this returns; whether it
    /// is a new one. A key that was used before is the request that it was used for.
    pub(crate) async fn ask_driver(
        &self,
        key: String,
        node: String,
        input: Vec<u8>,
    ) -> Result<bool, ApiRefusal> {
        let order = format!("{REQUEST_KEY_PREFIX}{key}");
        let _order = self.orders.of_key(&order).lock().await;
        let known = key.clone();
        let known = self.read(move |store| store.request(&known)).await?;
        if let Some(record) = known {
            return match record.asks_same(&node, &input) {
                true => Ok(false),
                false => Err(ApiRefusal::Refused(Refusal::RequestKeyReused)),
            };
        }
        let ask = Box::new(Ask { key, node, input });
        let ask = move |request| Event::Ask { request, ask };
        let reply = self.request(ask).await?;
        Ok(matches!(reply, Reply::Request { created: true }))
    }

    /// Takes a request back that waits. That is durable when this returns.
    pub(crate) async fn withdraw(&self, key: String) -> Result<(), ApiRefusal> {
        let withdraw = move |request| Event::Withdraw { request, key };
        self.request(withdraw).await.map(drop)
    }
}
