//! Changes that overlap.

use super::*;

async fn at_once(lambda: &Lambda, targets: [&str; 4]) -> Vec<Reply> {
    let (a, b, c, d) = tokio::join!(
        lambda.add(targets[0], "a"),
        lambda.add(targets[1], "b"),
        lambda.add(targets[2], "c"),
        lambda.add(targets[3], "d"),
    );
    vec![a, b, c, d]
}

#[tokio::test]
async fn overlapping_changes_are_serialised_by_default() {
    let lambda = Lambda::new().await;
    let replies = at_once(&lambda, [FUNCTION; 4]).await;
    assert!(replies.iter().all(|reply| reply.status == 201));
    assert_eq!(sids(&lambda.send("GET", FUNCTION, "").await).len(), 4);
}

#[tokio::test]
async fn overlapping_changes_can_be_refused() {
    let lambda = Lambda::new().await;
    let window = Duration::from_millis(100);
    lambda.plane.concurrent_updates(ConcurrentUpdates::Refuse { window });
    // Whatever the qualifier; a layer is something else.
    let alias = with(FUNCTION, "Qualifier", "live");
    let replies = at_once(&lambda, [FUNCTION, FUNCTION, &alias, LAYER]).await;
    assert_eq!(replies[3].status, 201);
    let (accepted, refused): (Vec<_>, Vec<_>) = replies[..3].iter().partition(|reply| reply.status == 201);
    assert_eq!((accepted.len(), refused.len()), (1, 2));
    for reply in refused {
        let message = "The function could not be updated due to a concurrent update operation.";
        assert_error(reply, CONFLICT, message);
    }
    assert_eq!(lambda.plane.policies().len(), 2);
    // Afterwards the way is free again, and reading never waits.
    assert_eq!(lambda.add(FUNCTION, "later").await.status, 201);
}

#[tokio::test]
async fn overlapping_changes_can_be_lost_silently() {
    let lambda = Lambda::new().await;
    let window = Duration::from_millis(100);
    lambda.plane.concurrent_updates(ConcurrentUpdates::LoseSilently { window });
    let replies = at_once(&lambda, [FUNCTION; 4]).await;
    assert!(replies.iter().all(|reply| reply.status == 201));
    assert_eq!(sids(&lambda.send("GET", FUNCTION, "").await).len(), 1);
    assert_eq!(lambda.add(FUNCTION, "later").await.status, 201);
    assert_eq!(sids(&lambda.send("GET", FUNCTION, "").await).len(), 2);
}
