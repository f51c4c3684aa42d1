//! One after the other, where that is asked for.

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::json;

use super::{Hook, log_of};
use crate::app::{TestApp, until_within};
use crate::on_both_engines;
use crate::receiver::Receiver;

on_both_engines! {
    /// T27: every tenth is refused at first; the next ones wait for it.
    async fn an_ordered_endpoint_gets_the_log_in_its_order(app: TestApp) {
        let shop = app.tenant("shop").await;
        let receiver = Receiver::answering(|got, before| {
            let position = got.json()["position"].as_i64().unwrap();
            if before == 0 && position % 10 == 0 {
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            } else {
                StatusCode::OK.into_response()
            }
        })
        .await;
        Hook::new(&shop.test, &receiver, json!({"ordered": true, "concurrency": 16})).await;
        let many = (0..60).map(|number| {
            let phone = format!("55119{number:08}");
            let caller = shop.test.clone();
            async move { caller.post("/api/whatsapp/opt-outs", json!({"phone": phone})).await.ok() }
        });
        futures::future::join_all(many).await;
        until_within(std::time::Duration::from_secs(60), "all are taken", || async {
            (receiver.taken().len() == 60).then_some(())
        })
        .await;
        let order: Vec<_> = log_of(&shop.test, "").await.iter().map(|event| event["id"].clone()).collect();
        assert_eq!(receiver.taken(), order);
        assert_eq!(receiver.count(), 66, "six were refused once, and nobody came between");
    }
}
