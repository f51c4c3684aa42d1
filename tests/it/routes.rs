//! Every route of `openapi.json`, with paths that lead to objects that exist.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, Caller, Tenant};
use crate::description;

/// One operation.
pub struct Route {
    pub method: Method,
    /// As described, `{id}` and all.
    pub template: &'static str,
    pub operation: &'static Value,
}

impl Route {
    pub fn all() -> Vec<Self> {
        let paths = description::document()["paths"].as_object().expect("paths");
        let operations = paths.iter().flat_map(|(template, methods)| {
            methods.as_object().expect("methods").iter().map(move |(method, operation)| Self {
                method: method.to_uppercase().parse().expect("a method"),
                template,
                operation,
            })
        });
        operations.collect()
    }

    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }

    /// The names of its query's parameters.
    pub fn parameters(&self) -> Vec<&'static str> {
        let all = self.operation["parameters"].as_array().into_iter().flatten();
        all.filter(|one| one["in"] == "query").map(|one| one["name"].as_str().expect("a name")).collect()
    }

    /// The schema of the JSON object that it reads.
    pub fn body(&self) -> Option<&'static Value> {
        let schema = &self.operation["requestBody"]["content"]["application/json"]["schema"];
        let whole = [schema].into_iter().chain(schema["oneOf"].as_array().into_iter().flatten());
        whole.map(resolved).find(|schema| schema["properties"].is_object())
    }
}

/// What a reference leads to.
pub fn resolved(schema: &'static Value) -> &'static Value {
    let Some(reference) = schema["$ref"].as_str() else { return schema };
    description::document().pointer(&reference[1..]).expect("a reference leads somewhere")
}

/// Things of one tenant that paths can name.
pub struct Things {
    webhook: String,
    group: String,
    media: String,
}

impl Things {
    /// With the session `main`, linked, and two phones.
    pub async fn of(tenant: &Tenant) -> Self {
        tenant.linked("main", "5511900000001").await;
        tenant.phone("5511900000002").await;
        let hook = json!({"url": "https://hooks.example.invalid/"});
        let webhook = tenant.test.post("/api/whatsapp/webhooks", hook).await.ok();
        let team = json!({"phone": "5511900000001", "subject": "team", "participants": ["5511900000002"]});
        let group = tenant.test.post("/api/sandbox/groups", team).await.ok();
        let media = json!({"mediaBase64": "bm90ZXM=", "fileName": "notes.txt"});
        let media = tenant.test.post("/api/whatsapp/media", media).await.ok();
        let word = |value: &Value| value.as_str().expect("a text").to_owned();
        Self {
            webhook: word(&webhook["id"]),
            group: word(&group["group"]["id"]),
            media: word(&media["mediaId"]),
        }
    }

    pub fn path(&self, template: &str) -> String {
        let own = if template.contains("/webhooks/") { &self.webhook } else { "main" };
        template
            .replace("{id}", own)
            .replace("{phone}", "5511900000001")
            .replace("{contactId}", "5511900000002")
            .replace("{chatId}", "5511900000002@s.whatsapp.net")
            .replace("{other}", "5511900000002")
            .replace("{jobId}", "000000000000000000000000")
            .replace("{messageId}", "3EB0AA")
            .replace("{eventId}", "evt_1")
            .replace("{mediaId}", &self.media)
            .replace("{recoveryId}", "rec_1")
            .replace("{groupId}", &self.group)
    }

    pub async fn call(&self, caller: &Caller, route: &Route, query: &str, body: Option<&Value>) -> Answer {
        let path = format!("{}{query}", self.path(route.template));
        caller.call(route.method.clone(), &path, &[], body.map(|body| body.to_string().into_bytes())).await
    }
}
