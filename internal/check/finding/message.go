package finding

// messageKinds are those of package message.
var messageKinds = []Kind{
	{ID: "msg.form", Title: "form of the message"},
	{ID: "msg.score", Title: "score of a spam filter"},
	{ID: "msg.bulk", Title: "one-click unsubscribe"},
}
