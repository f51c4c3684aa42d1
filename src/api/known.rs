//! What a route knows of a request, taken from its description: the names of its query's parameters, and whether it
//! reads a body.
//!
//! What nobody would read is refused by name before anything happens: whoever wrote it meant something by it. Values
//! are the handlers' own business, and so are the fields of a body that a route reads.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, PathItem, RefOr};

use super::body::read;
use super::error::ApiError;
use super::names;

/// `{}` and some spaces.
const EMPTY_MAX: usize = 4 << 10;

/// The routes of a description.
#[derive(Clone)]
pub struct KnownRoutes(Arc<HashMap<(Method, String), Route>>);

struct Route {
    parameters: Vec<String>,
    reads_body: bool,
}

impl KnownRoutes {
    pub fn of(document: &OpenApi) -> Self {
        let mut routes = HashMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                routes.insert((method, path.clone()), Route::of(operation));
            }
        }
        Self(Arc::new(routes))
    }

    fn of_request(&self, request: &Request) -> Option<&Route> {
        let path = request.extensions().get::<MatchedPath>()?.as_str().to_owned();
        // What answers GET answers HEAD.
        let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
        self.0.get(&(method, path))
    }
}

impl Route {
    fn of(operation: &Operation) -> Self {
        let parameters = operation.parameters.iter().flatten();
        let of_query = parameters.filter_map(|parameter| match parameter {
            RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter),
            _ => None,
        });
        Self {
            parameters: of_query.map(|parameter| parameter.name.clone()).collect(),
            reads_body: operation.request_body.is_some(),
        }
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::PATCH, &item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

/// Goes on with a request of which everything is known.
pub async fn refuse_unknown(State(known): State<KnownRoutes>, request: Request, next: Next) -> Response {
    match looked_through(&known, request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

async fn looked_through(known: &KnownRoutes, request: Request) -> Result<Request, ApiError> {
    let Some(route) = known.of_request(&request) else { return Ok(request) };
    let query = request.uri().query().unwrap_or_default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let is_nothing = name.is_empty() && value.is_empty();
        if !is_nothing && !route.parameters.iter().any(|known| *known == name) {
            let known: Vec<&str> = route.parameters.iter().map(String::as_str).collect();
            let why = names::unknown("parameter", &name, &known);
            return Err(ApiError::parameter(format!("{}: {why}", names::shown(&name))));
        }
    }
    let encoding = request.headers().get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !matches!(encoding.as_bytes(), b"" | b"identity")) {
        return Err(ApiError::compressed());
    }
    if route.reads_body || request.body().is_end_stream() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let bytes = read(body, EMPTY_MAX).await.map_err(|problem| problem.of_no_body())?;
    match serde_json::from_slice::<Value>(bytes.trim_ascii()) {
        Ok(Value::Object(fields)) => match fields.keys().next() {
            None => {}
            Some(name) => {
                let why = names::unknown("field", name, &[]);
                return Err(ApiError::bad("INVALID_REQUEST", format!("{}: {why}", names::shown(name))));
            }
        },
        // PHP's empty array is a list.
        Ok(Value::Array(items)) if items.is_empty() => {}
        Ok(Value::Null) => {}
        Err(_) if bytes.trim_ascii().is_empty() => {}
        _ => return Err(ApiError::no_body_here()),
    }
    Ok(Request::from_parts(parts, Body::empty()))
}
