//! `/v1/files`: files of requests and of results, as OpenAI's clients upload and read them.

use std::io::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, Response, StatusCode};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::json;

use super::stored::{List, PIECE, batches, blocking, listed, received, sent};
use super::{Route, handler};
use crate::files::Draft;
use crate::serve::api_error::ApiError;
use crate::serve::batches::multipart::{Event, FormError, Multipart, boundary};
use crate::serve::batches::objects::{FileObject, FileRecord};
use crate::serve::batches::requests::MOST_BYTES;
use crate::serve::batches::{Batches, now};
use crate::serve::call::{Call, json as reply};

/// Bytes of a field that is no file, at most.
const LONGEST_FIELD: usize = 4096;

pub(super) fn routes() -> Vec<Route> {
    let upload = Route::new(Method::POST, "/v1/files", "Uploads a file of requests as a form", handler!(upload));
    let list = Route::new(Method::GET, "/v1/files", "Lists the files", handler!(list));
    let one = Route::new(Method::GET, "/v1/files/{file}", "Returns a file's description", handler!(one));
    let content = Route::new(Method::GET, "/v1/files/{file}/content", "Returns a file's bytes", handler!(content));
    let remove = Route::new(Method::DELETE, "/v1/files/{file}", "Removes a file", handler!(remove));
    vec![
        Route { response: Some(SchemaGenerator::subschema_for::<FileObject>), ..upload },
        Route { response: Some(SchemaGenerator::subschema_for::<List<FileObject>>), ..list },
        Route { response: Some(SchemaGenerator::subschema_for::<FileObject>), ..one },
        content,
        Route { response: Some(SchemaGenerator::subschema_for::<Removed>), ..remove },
    ]
}

/// A file that was removed.
#[derive(Serialize, JsonSchema)]
struct Removed {
    /// Its id.
    id: String,
    /// Always `file`.
    object: &'static str,
    /// Always true.
    deleted: bool,
}

async fn upload(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    call.batches()?;
    let kind = call.header(CONTENT_TYPE.as_str()).and_then(boundary).ok_or_else(|| {
        let message = "a file is uploaded as a form, with the header content-type: multipart/form-data; boundary=…";
        ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
    })?;
    let length = call.header(CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
    // The form has some bytes around the file.
    if length.is_some_and(|length| length > MOST_BYTES + PIECE as u64) {
        return Err(too_large());
    }
    let state = Arc::clone(&call.state);
    let upload = blocking(move || {
        let (id, draft) = batches(&state)?.begin_file()?;
        Ok(Upload { form: Multipart::new(&kind), id, draft, purpose: None, file: None, field: None, bytes: 0 })
    });
    let upload = received(&call, body, upload.await?, Upload::take).await?;
    let (state, owner) = (Arc::clone(&call.state), call.owner().map(str::to_owned));
    blocking(move || Ok(reply(&upload.kept(batches(&state)?, owner)?))).await
}

/// A file on its way to the disk.
struct Upload {
    form: Multipart,
    id: String,
    draft: Draft,
    purpose: Option<Vec<u8>>,
    /// The name of the file, once its part has begun.
    file: Option<String>,
    /// The field whose content comes next.
    field: Option<Field>,
    bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Purpose,
    File,
}

impl Upload {
    /// Takes a piece of the body.
    fn take(mut self, piece: &[u8]) -> Result<Self, ApiError> {
        let Self { form, draft, purpose, file, field, bytes, .. } = &mut self;
        let twice = || ApiError::invalid("invalid_value", "a field occurs twice in the form");
        form.push::<ApiError>(piece, &mut |event| match event {
            Event::Part(name, filename) => {
                *field = match name.as_str() {
                    "purpose" if purpose.is_some() => return Err(twice().of("purpose")),
                    "purpose" => {
                        *purpose = Some(Vec::new());
                        Some(Field::Purpose)
                    }
                    "file" if file.is_some() => return Err(twice().of("file")),
                    "file" => {
                        *file = Some(filename.unwrap_or_else(|| "file.jsonl".to_owned()));
                        Some(Field::File)
                    }
                    _ => None,
                };
                Ok(())
            }
            Event::Data(data) => match (*field, &mut *purpose) {
                (Some(Field::File), _) => {
                    *bytes += data.len() as u64;
                    if *bytes > MOST_BYTES {
                        return Err(too_large());
                    }
                    draft.file().write_all(data).map_err(|error| {
                        let message = format!("the file cannot be written: {}", error.kind());
                        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "storage", message)
                    })
                }
                (Some(Field::Purpose), Some(purpose)) if purpose.len() + data.len() <= LONGEST_FIELD => {
                    purpose.extend_from_slice(data);
                    Ok(())
                }
                (Some(Field::Purpose), _) => Err(ApiError::invalid("invalid_value", "it is too long").of("purpose")),
                (None, _) => Ok(()),
            },
        })?;
        Ok(self)
    }

    /// Keeps the file, if the form is complete.
    fn kept(self, batches: &Batches, owner: Option<String>) -> Result<FileObject, ApiError> {
        let Self { form, id, draft, purpose, file, bytes, .. } = self;
        form.end()?;
        let missing = |name: &str| ApiError::invalid("missing", format!("the form has no field `{name}`")).of(name);
        let purpose = purpose.ok_or_else(|| missing("purpose"))?;
        if purpose != b"batch" {
            let message = "this server takes files of the purpose `batch` alone";
            return Err(ApiError::invalid("invalid_value", message).of("purpose"));
        }
        let name = file.ok_or_else(|| missing("file"))?;
        if bytes == 0 {
            return Err(ApiError::invalid("empty_file", "the file is empty").of("file"));
        }
        let file = FileObject::new(id, name, "batch", bytes, now());
        batches.add_file(FileRecord { file, owner }, draft)
    }
}

impl From<FormError> for ApiError {
    fn from(error: FormError) -> Self {
        Self::invalid("invalid_form", error.to_string())
    }
}

fn too_large() -> ApiError {
    let message = format!("the file is larger than {MOST_BYTES} bytes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message).of("file")
}

async fn list(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let mut files = call.batches()?.files(call.owner());
    if let Some(purpose) = call.query("purpose") {
        files.retain(|file| file.purpose == purpose);
    }
    if call.query("order").as_deref() == Some("asc") {
        files.reverse();
    }
    Ok(reply(&listed(&call, files, 10_000, |file| &file.id)?))
}

async fn one(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    Ok(reply(&call.batches()?.file(call.param("file"), call.owner())?))
}

async fn content(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let batches = call.batches()?;
    let file = batches.file(call.param("file"), call.owner())?;
    let path = batches.content(&file);
    let gone = |_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "storage", "the file cannot be read");
    let opened = blocking(move || std::fs::File::open(path).map_err(gone)).await?;
    Ok(sent(opened, "application/octet-stream"))
}

async fn remove(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    call.batches()?;
    let (state, id) = (Arc::clone(&call.state), call.param("file").to_owned());
    let owner = call.owner().map(str::to_owned);
    let of_removal = id.clone();
    blocking(move || batches(&state)?.remove_file(&of_removal, owner.as_deref())).await?;
    Ok(reply(&json!(Removed { id, object: "file", deleted: true })))
}
