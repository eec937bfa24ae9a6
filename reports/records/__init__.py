"""Results on disk: schema, files, identity, checks, who measured; may import no other room."""
