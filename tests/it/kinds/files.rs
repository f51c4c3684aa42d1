//! Files, both ways, byte for byte.

use image::ImageFormat;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ANA, SHOP, base64, picture, recorded, sha256, shop_and_ana, shows, writes};
use crate::app::{Session, TestApp, until};
use crate::on_both_engines;

const TONE: [&str; 4] = ["-f", "lavfi", "-i", "sine=frequency=300:duration=1"];

/// A file of each kind.
fn samples() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let pdf = [b"%PDF-1.4\n".to_vec(), vec![b'x'; 300_000], b"\n%%EOF\n".to_vec()].concat();
    vec![
        ("image", "image/jpeg", picture(ImageFormat::Jpeg)),
        ("image", "image/png", picture(ImageFormat::Png)),
        ("document", "application/pdf", pdf),
        ("sticker", "image/webp", picture(ImageFormat::WebP)),
        (
            "video",
            "video/mp4",
            recorded(
                &[
                    &["-f", "lavfi", "-i", "testsrc=size=96x64:rate=10:duration=1"][..],
                    &TONE,
                    &["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "mp4"],
                ]
                .concat(),
            ),
        ),
        ("audio", "audio/mpeg", recorded(&[&TONE[..], &["-f", "mp3"]].concat())),
        (
            "voice",
            "audio/ogg; codecs=opus",
            recorded(&[&TONE[..], &["-c:a", "libopus", "-ac", "1", "-f", "ogg"]].concat()),
        ),
    ]
}

fn has_caption(kind: &str) -> bool {
    matches!(kind, "image" | "video" | "document")
}

async fn stored(session: &Session<'_>, media: &str) -> Value {
    until(&format!("{media} is stored"), || async {
        let file = session.caller.get(&format!("/api/whatsapp/media/{media}")).await.ok();
        (file["state"] == "stored").then_some(file)
    })
    .await
}

on_both_engines! {
    async fn a_file_arrives_as_it_was_sent_and_comes_back_as_it_was_written(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        for (kind, mime, bytes) in samples() {
            let mut body = json!({"to": ANA, "type": kind, "mediaBase64": base64(&bytes), "mediaMimeType": mime});
            if has_caption(kind) {
                body["message"] = "Your invoice".into();
            }
            if kind == "document" {
                body["fileName"] = "invoice-march-2026.pdf".into();
            }
            let id = session.says(body).await;
            let shown = ana.until_is(&id, |message| message["mediaSha256"].is_string()).await;
            shows(&shown, json!({"type": kind, "mediaSha256": sha256(&bytes), "mimeType": mime}));
            if kind == "document" {
                shows(&shown, json!({"fileName": "invoice-march-2026.pdf", "message": "Your invoice"}));
            }
            if matches!(kind, "video" | "audio" | "voice") {
                shows(&shown, json!({"seconds": 1}));
            }
            if kind == "voice" {
                assert!(shown["waveform"].as_array().is_some_and(|bars| bars.len() == 64), "{shown}");
            }
            let path = ana.path(&format!("/messages/{id}/media"));
            assert_eq!(shop.test.bytes(Method::GET, &path, &[]).await.body, bytes, "{kind}");

            let mut body = json!({"to": SHOP, "type": kind, "mediaBase64": base64(&bytes), "mimeType": mime, "message": ""});
            if has_caption(kind) {
                body["message"] = "Mine".into();
            }
            let id = writes(&shop, &ana, body).await;
            let told = session.until_told("message.received", &id).await;
            let data = &told["data"];
            shows(data, json!({"type": kind, "hasMedia": true}));
            shows(&data["media"], json!({"mimeType": mime, "size": bytes.len()}));
            let file = stored(&session, data["mediaId"].as_str().expect("an id")).await;
            assert_eq!((&file["sha256"], &file["size"]), (&json!(sha256(&bytes)), &json!(bytes.len())));
            assert_eq!(shop.test.content(&file).await, bytes, "{kind}");
        }
    }
}

/// What lies on the sandbox's media host.
fn files_under(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let count = |entry: std::fs::DirEntry| {
        let path = entry.path();
        if path.is_dir() {
            files_under(&path)
        } else {
            // Its state is beside.
            usize::from(!path.to_string_lossy().contains("sandbox.db"))
        }
    };
    entries.map(count).sum()
}

on_both_engines! {
    async fn a_file_that_was_given_once_is_uploaded_once_for_many(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let bytes = picture(ImageFormat::Jpeg);
        let given = shop.test.upload("?type=image", "image/jpeg", bytes.clone()).await.ok();
        let phones: Vec<String> = (0..5).map(|n| format!("551190000010{n}")).collect();
        for phone in &phones {
            shop.phone(phone).await;
        }
        let job = json!({
            "recipients": phones, "type": "image", "mediaId": given["mediaId"], "message": "Hello {{phone}}",
            "delayMin": 0, "delayMax": 0
        });
        let job = shop.test.post(&session.path("/send-bulk"), job).await.ok();
        let path = format!("/api/whatsapp/bulk-job/{}", job["jobId"].as_str().expect("an id"));
        until("the job is done", || async {
            let job = shop.test.get(&path).await.ok();
            (job["status"] == "completed").then_some(job)
        })
        .await;
        for phone in &phones {
            let phone = shop.phone(phone).await;
            let shown = phone.until_shows(&format!("Hello {}", phone.phone)).await;
            assert_eq!(shown["mediaSha256"], sha256(&bytes));
        }
        assert_eq!(files_under(&app.dir.path().join("sandbox")), 1);
    }
}

on_both_engines! {
    async fn a_file_that_whatsapp_has_no_longer_is_asked_for_again(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        // Not even with new addresses of the servers, which the client asks for first.
        session.fault_with(json!({"kind": "media_missing", "count": 2})).await;
        let bytes = picture(ImageFormat::Png);
        let body = json!({"to": SHOP, "type": "image", "mediaBase64": base64(&bytes), "mimeType": "image/png", "message": "again"});
        let id = writes(&shop, &ana, body).await;
        let told = session.until_told("message.received", &id).await;
        let file = stored(&session, told["data"]["mediaId"].as_str().expect("an id")).await;
        assert_eq!(file["sha256"], sha256(&bytes));
        let told = session.until_told("media.stored", &id).await;
        shows(&told["data"], json!({"mediaId": file["mediaId"], "sha256": sha256(&bytes)}));
    }
}

on_both_engines! {
    async fn a_file_that_failed_is_fetched_once_somebody_wants_it(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        // Neither the servers nor her phone have it.
        session.fault_with(json!({"kind": "media_missing", "count": 1000})).await;
        let bytes = picture(ImageFormat::Jpeg);
        let body = json!({"to": SHOP, "type": "image", "mediaBase64": base64(&bytes), "mimeType": "image/jpeg", "message": ""});
        let id = writes(&shop, &ana, body).await;
        let told = session.until_told("message.received", &id).await;
        let media = told["data"]["mediaId"].as_str().expect("an id").to_owned();
        let path = format!("/api/whatsapp/media/{media}/content");
        shop.test.get(&path).await.refused(404, "MEDIA_NOT_STORED");
        session.fault("clear").await;
        let body = until("the file is here", || async {
            let answer = shop.test.bytes(Method::GET, &path, &[]).await;
            (answer.status == 200).then_some(answer.body)
        })
        .await;
        assert_eq!(body, bytes);
    }
}

on_both_engines! {
    async fn a_form_brings_a_file_and_its_fields(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let bytes = picture(ImageFormat::Jpeg);
        let mut form = vec![];
        for (name, text) in [("to", ANA), ("type", "image"), ("message", "From a form")] {
            let part = format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
            form.extend_from_slice(part.as_bytes());
        }
        form.extend_from_slice(
            b"--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n",
        );
        form.extend_from_slice(&bytes);
        form.extend_from_slice(b"\r\n--edge--\r\n");
        let url = format!("{}{}", shop.test.url, session.path("/send"));
        let request = shop.test.client().post(url).header("X-API-Key", &shop.test.key);
        let request = request.header("content-type", "multipart/form-data; boundary=edge");
        assert_eq!(request.body(form).send().await.expect("the gateway answers").status(), 200);
        let shown = ana.until_shows("From a form").await;
        assert_eq!(shown["mediaSha256"], sha256(&bytes));
    }
}

on_both_engines! {
    async fn what_is_viewed_once_says_so_and_is_not_sent_on(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let bytes = picture(ImageFormat::Jpeg);
        let body = json!({"to": ANA, "type": "image", "mediaBase64": base64(&bytes), "viewOnce": true});
        let id = session.says(body).await;
        let shown = ana.until_is(&id, |message| message["mediaSha256"].is_string()).await;
        shows(&shown, json!({"viewOnce": true}));
        let on = json!({"to": ANA, "type": "forward", "messageId": id});
        shop.test.post(&session.path("/send"), on).await.refused(400, "CANNOT_FORWARD");
    }
}

on_both_engines! {
    async fn a_file_that_arrived_is_sent_on_and_a_caption_is_edited(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let bytes = picture(ImageFormat::Jpeg);
        let body = json!({"to": SHOP, "type": "image", "mediaBase64": base64(&bytes), "mimeType": "image/jpeg", "message": "look"});
        let id = writes(&shop, &ana, body).await;
        session.until_told("message.received", &id).await;
        let bia = shop.phone("5511900000003").await;
        let on = session.says(json!({"to": "5511900000003", "type": "forward", "messageId": id})).await;
        let shown = bia.until_is(&on, |message| message["mediaSha256"].is_string()).await;
        shows(&shown, json!({"message": "look", "forwarded": true, "mediaSha256": sha256(&bytes)}));
        session.says(json!({"type": "edit", "messageId": on, "message": "look here"})).await;
        bia.until_is(&on, |message| message["message"] == "look here").await;
    }
}

on_both_engines! {
    async fn a_file_that_is_larger_than_its_sender_says_waits_to_be_asked_for(app: TestApp) {
        let mut app = app;
        app.stop().await;
        let most = 100_000_u64;
        app.config.media_auto_max = wapid::config::Size(most);
        app.start().await;
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let at_most = vec![7; usize::try_from(most).expect("it fits")];
        let beyond = [at_most.clone(), vec![7]].concat();
        for (bytes, said) in [(&at_most, 10), (&at_most, 0)] {
            let body = json!({
                "to": SHOP, "type": "document", "mediaBase64": base64(bytes), "mediaSize": said, "message": ""
            });
            let id = writes(&shop, &ana, body).await;
            session.until_told("media.stored", &id).await;
        }
        for said in [10, 0, most] {
            let body = json!({
                "to": SHOP, "type": "document", "mediaBase64": base64(&beyond), "mediaSize": said, "message": ""
            });
            let id = writes(&shop, &ana, body).await;
            let told = session.until_told("media.failed", &id).await;
            shows(&told["data"], json!({"error": "larger_than_said", "size": null}));
            let path = format!("/api/whatsapp/media/{}", told["data"]["mediaId"].as_str().expect("an id"));
            let shown = shop.test.get(&path).await.ok();
            shows(&shown, json!({"state": "waiting", "error": "larger_than_said", "size": null}));
            // Whoever wants it has it, as any other large file.
            let answer = shop.test.bytes(Method::GET, &format!("{path}/content"), &[]).await;
            assert_eq!((answer.status, answer.body.len()), (200, beyond.len()));
        }
    }
}
