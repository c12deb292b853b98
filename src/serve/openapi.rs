//! `/openapi.json`: the document of the routes, made from their table and from the types of their bodies.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Response};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::api_error::{ApiError, ErrorBody};
use super::call::{Call, json as reply};
use super::routes::{Route, all, handler};

/// Returns the document's own route.
pub fn routes() -> Vec<Route> {
    let route = Route::new(Method::GET, "/openapi.json", "Returns this document", handler!(answer));
    vec![Route { is_open: true, ..route }]
}

async fn answer(_: Call, _: Body) -> Result<Response<Body>, ApiError> {
    Ok(reply(&document()))
}

/// Returns the document: OpenAPI 3.1.
#[must_use]
pub fn document() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut requests = settings.clone().into_generator();
    let mut replies = settings.for_serialize().into_generator();
    let error = replies.subschema_for::<ErrorBody<'static>>();
    let mut paths: BTreeMap<&str, Value> = BTreeMap::new();
    for route in all() {
        let mut operation = json!({
            "summary": route.summary,
            "responses": { "default": { "description": "An error", "content": { "application/json": { "schema": error } } } },
        });
        let mut success = json!({ "description": "Success" });
        if let Some(schema) = route.response {
            success["content"] = json!({ "application/json": { "schema": schema(&mut replies) } });
        }
        operation["responses"]["200"] = success;
        if let Some(schema) = route.request {
            operation["requestBody"] =
                json!({ "content": { "application/json": { "schema": schema(&mut requests) } } });
        }
        let places: Vec<Value> = places(route.path)
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        if !places.is_empty() {
            operation["parameters"] = places.into();
        }
        operation["security"] = if route.is_open { json!([]) } else { json!([{ "key": [] }] ) };
        let method = route.method.as_str().to_lowercase();
        paths.entry(route.path).or_insert_with(|| json!({}))[method] = operation;
    }
    let mut schemas = requests.take_definitions(true);
    schemas.extend(replies.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": { "title": "magistrate", "version": env!("CARGO_PKG_VERSION"), "license": { "name": "Apache-2.0" } },
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } } },
    })
}

/// Returns the names of the places in a path.
fn places(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_and_the_router_have_the_same_routes() {
        let document = document();
        let mut documented = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            documented.extend(
                operations.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())),
            );
        }
        let mut routed: Vec<String> = all().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
        documented.sort();
        routed.sort();
        assert_eq!(documented, routed);
    }

    #[test]
    fn every_reference_of_the_document_leads_to_a_schema() {
        let document = document();
        let text = document.to_string();
        let mut references = text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap());
        assert!(references.clone().count() > 3);
        assert!(references.all(|reference| document.pointer(reference).is_some()), "{text}");
    }
}
