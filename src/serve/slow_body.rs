//! A deadline for the body of a request. A limit on pauses is not enough: a byte now and
//! then keeps a connection open for hours.

use std::{future::Future, io, pin::pin, task::Poll, time::Duration};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
};
use futures_util::{Stream, stream::poll_fn};
use tokio::time::sleep;

/// How long a body may take: 1 MiB in this time is 70 kB a second.
const TIME: Duration = Duration::from_secs(15);

/// Gives the body of a request, if it has one, its deadline.
pub(super) fn limit(request: Request) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    request.map(|body| {
        let mut data = body.into_data_stream();
        let mut late = Box::pin(sleep(TIME));
        Body::from_stream(poll_fn(move |context| {
            if late.as_mut().poll(context).is_ready() {
                let late = io::Error::new(io::ErrorKind::TimedOut, "the body took too long");
                return Poll::Ready(Some(Err(axum::Error::new(late))));
            }
            pin!(&mut data).poll_next(context)
        }))
    })
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use futures_util::stream;

    use super::*;

    fn request(
        stream: impl Stream<Item = Result<&'static str, io::Error>> + Send + 'static,
    ) -> Request {
        limit(Request::new(Body::from_stream(stream)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_in_time_is_whole() {
        let parts = stream::iter([Ok("a"), Ok("b")]);
        let body = to_bytes(request(parts).into_body(), 9).await.unwrap();
        assert_eq!(body, "ab");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_dribbles_is_cut_off() {
        let dribble = stream::unfold((), async |()| {
            sleep(Duration::from_secs(7)).await;
            Some((Ok("a"), ()))
        });
        let body = to_bytes(request(Box::pin(dribble)).into_body(), 1000).await;
        assert!(body.is_err());
    }
}
