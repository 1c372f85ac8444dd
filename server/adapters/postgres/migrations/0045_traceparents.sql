-- The place of a call in its trace (https://www.w3.org/TR/trace-context/), kept with what is done for it
-- later, so that the spans of that link back to it. NULL where the call was in no trace.
ALTER TABLE calls ADD COLUMN traceparent text;
ALTER TABLE operations ADD COLUMN traceparent text;
ALTER TABLE graph_outbox ADD COLUMN traceparent text;
