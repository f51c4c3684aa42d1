//! A file is what its content says, under a name that people can open, however little its sender said.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ANA, base64, picture, shop_and_ana};
use crate::app::{Answer, Session, TestApp};
use crate::media::host::{Host, Reply};

const PDF: &[u8] = b"%PDF-1.7\n1 0 obj << >> endobj\ntrailer << >>\n%%EOF\n";

/// A form as browsers send it; parts are told by their disposition.
async fn form(session: &Session<'_>, parts: &[(&str, &[u8])]) -> Answer {
    let mut body = vec![];
    for (disposition, content) in parts {
        body.extend_from_slice(
            format!("--edge\r\ncontent-disposition: form-data; {disposition}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    let headers = [("content-type", "multipart/form-data; boundary=edge")];
    session.caller.call(Method::POST, &session.path("/send"), &headers, Some(body)).await
}

fn id_of(answer: &Answer) -> String {
    answer.ok()["messageId"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_shown_under_a_name_that_opens() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    let host = Host::answering(|path| match path {
        "/named" => Reply::with(
            "content-type: application/pdf\r\ncontent-disposition: attachment; filename=x; filename*=UTF-8''pre%C3%A7o.pdf\r\n",
            PDF,
        ),
        _ => Reply::file("application/octet-stream", PDF),
    })
    .await;
    let named = |name: &str| json!({"mediaBase64": base64(PDF), "fileName": name});
    let at = |path: &str| json!({"mediaUrl": format!("{}{path}", host.url)});
    for (mut body, name) in [
        (json!({"mediaBase64": base64(PDF)}), "document.pdf"),
        (named(""), "document.pdf"),
        (named("  "), "document.pdf"),
        (named("contract"), "contract.pdf"),
        (named("../../etc/passwd"), "passwd.pdf"),
        (named("C:\\fakepath\\a.pdf"), "a.pdf"),
        (named("a\u{202e}fdp.pdf\r\n"), "afdp.pdf"),
        (named("NUL.pdf"), "_NUL.pdf"),
        (at("/dl"), "dl.pdf"),
        (at("/get.php?id=7"), "get.pdf"),
        (at("/files/offer%20v1.2"), "offer v1.2.pdf"),
        (at("/"), "document.pdf"),
        (at("/named"), "preço.pdf"),
        (json!({"mediaBase64": base64(b"a,b\n1,2\n"), "mediaMimeType": "text/csv"}), "document.csv"),
        (json!({"mediaBase64": base64(b"hello")}), "document.txt"),
    ] {
        body["to"] = ANA.into();
        body["type"] = "document".into();
        let id = session.says(body.clone()).await;
        let shown = ana.until_is(&id, |message| message["mediaSha256"].is_string()).await;
        assert_eq!(shown["fileName"], name, "{body}");
    }
    let parts: [(&str, &[u8]); 3] = [
        ("name=\"to\"", ANA.as_bytes()),
        ("name=\"type\"", b"document"),
        ("name=\"file\"; filename=\"dir/b\"", PDF),
    ];
    let id = id_of(&form(&session, &parts).await);
    assert_eq!(ana.until_is(&id, |message| message["mediaSha256"].is_string()).await["fileName"], "b.pdf");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_calls_a_file_matters_less_than_what_it_is() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    let photo = picture(image::ImageFormat::Png);
    for header in [
        "content-type: text/html; charset=UTF-8\r\n",
        "content-type: text/plain\r\n",
        "content-type: application/octet-stream\r\n",
        "",
    ] {
        let host = Host::new(Reply::with(header, &photo)).await;
        let id = session.says(json!({"to": ANA, "type": "image", "mediaUrl": host.url})).await;
        let shown = ana.until_is(&id, |message| message["mediaSha256"].is_string()).await;
        assert_eq!((&shown["type"], &shown["mimeType"]), (&json!("image"), &json!("image/png")), "{header}");
    }
    // A page is still a page.
    let host = Host::new(Reply::file("text/html", b"<!doctype html><title>Log in</title>")).await;
    let body = json!({"to": ANA, "type": "image", "mediaUrl": host.url});
    let refused = shop.test.post(&session.path("/send"), body).await;
    refused.refused(400, "MEDIA_TYPE_NOT_ALLOWED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_is_read_as_browsers_read_it() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    let host = Host::new(Reply::file("application/pdf", PDF)).await;
    let data = base64(PDF);
    for (url, name) in [
        (format!("  {}/my file.pdf ", host.url), "my file.pdf"),
        (format!("{}/preço.pdf", host.url), "preço.pdf"),
        (format!("data:application/pdf;base64,{data}"), "document.pdf"),
        (format!("DATA:application/pdf;BASE64,{data}"), "document.pdf"),
    ] {
        let id = session.says(json!({"to": ANA, "type": "document", "mediaUrl": url})).await;
        let shown = ana.until_is(&id, |message| message["mediaSha256"].is_string()).await;
        assert_eq!(shown["fileName"], name, "{url}");
    }
    let media =
        shop.test.post("/api/whatsapp/media", json!({"mediaUrl": format!("data:;base64,{data}")})).await.ok();
    assert_eq!((&media["mimeType"], &media["origin"]), (&json!("application/pdf"), &json!("base64")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_nobody_filled_in_is_none() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    let data = base64(PDF);
    for body in [
        json!({"to": ANA, "message": "hello", "mediaUrl": "", "mediaBase64": "", "mediaId": null, "fileName": ""}),
        json!({"to": ANA, "type": "document", "mediaUrl": "", "mediaBase64": data}),
        json!({"to": ANA, "type": "document", "mediaUrl": null, "mediaId": " ", "mediaBase64": data, "mediaMimeType": ""}),
    ] {
        session.says(body).await;
    }
    let media = json!({"mediaUrl": "", "mediaBase64": data, "fileName": " "});
    assert_eq!(shop.test.post("/api/whatsapp/media", media).await.ok()["fileName"], Value::Null);
    // A browser sends the part of a file that nobody chose.
    let none: (&str, &[u8]) = ("name=\"file\"; filename=\"\"", b"");
    let text: [(&str, &[u8]); 2] = [("name=\"to\"", ANA.as_bytes()), ("name=\"message\"", b"by form")];
    for parts in [[text[0], text[1], none], [none, text[0], text[1]]] {
        let id = id_of(&form(&session, &parts).await);
        assert_eq!(ana.until_is(&id, |_| true).await["message"], "by form");
    }
    // What was chosen and is empty is a mistake.
    let chosen: (&str, &[u8]) = ("name=\"file\"; filename=\"a.pdf\"", b"");
    form(&session, &[text[0], text[1], chosen]).await.refused(400, "MEDIA_EMPTY");
    let list: [(&str, &[u8]); 3] =
        [("name=\"recipients\"", br#"["5511900000002"]"#), ("name=\"message\"", b"Hi"), none];
    let mut body = vec![];
    for (disposition, content) in list {
        body.extend_from_slice(
            format!("--edge\r\ncontent-disposition: form-data; {disposition}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    let headers = [("content-type", "multipart/form-data; boundary=edge")];
    let path = session.path("/send-bulk/preview");
    assert_eq!(shop.test.call(Method::POST, &path, &headers, Some(body)).await.ok()["total"], 1);
}
