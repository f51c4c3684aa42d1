//! A call that comes in is an event.

use serde_json::json;

use super::{ANA, SHOP, shop_and_ana};
use crate::app::TestApp;
use crate::on_both_engines;

on_both_engines! {
    async fn a_call_is_told_with_its_caller(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        for video in [true, false] {
            let rings = ana.does("/call", json!({"to": SHOP, "video": video})).await;
            let call = session.until_event("call.received", |data| data["callId"] == rings["callId"]).await;
            assert_eq!((&call["phone"], &call["isVideo"]), (&json!(ANA), &json!(video)));
            assert_eq!((&call["isGroup"], &call["missed"]), (&json!(false), &json!(false)));
            assert!(call["contactId"].is_string() && call["lid"].is_string());
        }
        // One that came while the session was away was missed.
        shop.test.post(&session.path("/stop"), json!({})).await.ok();
        let rings = ana.does("/call", json!({"to": SHOP})).await;
        shop.test.post(&session.path("/start"), json!({})).await.ok();
        session.until_ready().await;
        let call = session.until_event("call.received", |data| data["callId"] == rings["callId"]).await;
        assert_eq!(call["missed"], true);
    }
}
