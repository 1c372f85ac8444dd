-- name: create
CREATE INDEX CONCURRENTLY memories_x ON memories USING hnsw ((embedding::halfvec(256)) halfvec_ip_ops);
