//! The official Socket.IO client.

use std::{cell::RefCell, rc::Rc};

use wasm_bindgen::{JsValue, closure::Closure, prelude::wasm_bindgen};

use crate::js::object;

// Beside the folder of the files that are built from this crate, wherever that is.
#[wasm_bindgen(raw_module = "../vendor/socket.io-4.8.4.esm.min.js")]
extern "C" {
    pub(super) type Socket;

    #[wasm_bindgen(js_name = io)]
    fn io(options: &JsValue) -> Socket;

    #[wasm_bindgen(method)]
    pub(super) fn on(this: &Socket, event: &str, handler: &JsValue);

    /// Before the handlers of any event of the server.
    #[wasm_bindgen(method, js_name = onAny)]
    pub(super) fn on_any(this: &Socket, handler: &JsValue);

    /// With an argument, or with a function for the acknowledgement.
    #[wasm_bindgen(method)]
    pub(super) fn emit(this: &Socket, event: &str, argument: &JsValue);

    /// With both.
    #[wasm_bindgen(method, js_name = emit)]
    pub(super) fn emit_acknowledged(
        this: &Socket,
        event: &str,
        argument: &JsValue,
        acknowledged: &JsValue,
    );

    #[wasm_bindgen(method)]
    pub(super) fn connect(this: &Socket);

    #[wasm_bindgen(method)]
    pub(super) fn disconnect(this: &Socket);

    #[wasm_bindgen(method, getter)]
    pub(super) fn connected(this: &Socket) -> bool;

    /// Is it on a manager's transport? It is not where the server has rejected it.
    #[wasm_bindgen(method, getter)]
    pub(super) fn active(this: &Socket) -> bool;
}

/// A socket that connects with what `token` holds at that time. It never reconnects by
/// itself: the library would do so soon again whatever the server has said, and never after
/// a rejection or where the server closed the connection.
pub(super) fn socket(token: Rc<RefCell<String>>, path: &str) -> Socket {
    let auth = Closure::<dyn FnMut(js_sys::Function)>::new(move |send: js_sys::Function| {
        let auth = object(&[("token", JsValue::from_str(&token.borrow()))]);
        // An error in the library is not ours to handle.
        _ = send.call1(&JsValue::NULL, &auth);
    });
    let transports: js_sys::Array = ["websocket", "polling"]
        .map(JsValue::from_str)
        .iter()
        .collect();
    io(&object(&[
        ("auth", auth.into_js_value()),
        ("autoConnect", JsValue::FALSE),
        ("path", path.into()),
        ("reconnection", JsValue::FALSE),
        ("transports", transports.into()),
        ("tryAllTransports", JsValue::TRUE),
    ]))
}
