//! Plain objects of JavaScript.

use js_sys::Reflect;
use wasm_bindgen::JsValue;

/// An object with these fields.
pub(crate) fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = js_sys::Object::new();
    for (name, value) in fields {
        set(&object, name, value);
    }
    object.into()
}

/// Sets a field of an object that is not frozen.
pub(crate) fn set(object: &JsValue, name: &str, value: &JsValue) {
    // It cannot fail on such an object.
    _ = Reflect::set(object, &JsValue::from_str(name), value);
}

/// A field; undefined where there is none.
pub(crate) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &JsValue::from_str(name)).unwrap_or_default()
}

/// A field that is a text.
pub(crate) fn text(object: &JsValue, name: &str) -> Option<String> {
    get(object, name).as_string()
}
