//! Files: taken in by every way, refused for what they are not, given out in part, kept and forgotten.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::app::{Answer, Caller};
use crate::description::{Heard, expect_described};

mod contract;
mod crash;
pub mod host;
pub mod hostile;
pub mod memory;
mod received;
mod retention;
mod s3;
mod voice;

pub const MEDIA: &str = "/api/whatsapp/media";

/// A picture with something in it to lose.
pub fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let pixels = RgbImage::from_fn(width, height, |x, y| {
        let byte = |n: u32| u8::try_from(n % 256).expect("below 256");
        Rgb([byte(x), byte(y), byte(x + y)])
    });
    let mut file = Cursor::new(vec![]);
    DynamicImage::from(pixels).write_to(&mut file, format).expect("a picture");
    file.into_inner()
}

/// So many bytes that do not repeat in any short distance.
pub fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// What an answer that is no text says.
pub struct Bytes {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Bytes {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

impl Caller {
    /// The whole body is the file.
    pub async fn upload(&self, query: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        let url = format!("{}{MEDIA}{query}", self.url);
        let request =
            self.client().post(url).header("X-API-Key", &self.key).header("content-type", content_type);
        let answer = request.body(body.into()).send().await.expect("the gateway answers");
        Answer::of(&Method::POST, &format!("{MEDIA}{query}"), answer).await
    }

    /// A form whose parts are given as they are.
    pub async fn form(&self, parts: &[(&str, &str, &[u8])]) -> Answer {
        let mut body = vec![];
        for (disposition, content_type, content) in parts {
            body.extend_from_slice(b"--edge\r\ncontent-disposition: form-data; ");
            body.extend_from_slice(disposition.as_bytes());
            if !content_type.is_empty() {
                body.extend_from_slice(format!("\r\ncontent-type: {content_type}").as_bytes());
            }
            body.extend_from_slice(b"\r\n\r\n");
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--edge--\r\n");
        self.upload("", "multipart/form-data; boundary=edge", body).await
    }

    pub async fn bytes(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Bytes {
        let mut request = self
            .client()
            .request(method.clone(), format!("{}{path}", self.url))
            .header("X-API-Key", &self.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("the gateway answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.expect("a body").to_vec();
        let content_type =
            headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let text = String::from_utf8_lossy(&body);
        expect_described(&Heard { method: method.as_str(), path, status, content_type, body: &text });
        Bytes { status, headers, body }
    }

    /// All of a file.
    pub async fn content(&self, media: &Value) -> Vec<u8> {
        let path = media["url"].as_str().expect("a url");
        let answer = self.bytes(Method::GET, path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        answer.body
    }
}
