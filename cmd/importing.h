/*
 * importing.h - a document becomes a snapshot, whatever brings it
 */
#ifndef CMD_IMPORTING_H
#define CMD_IMPORTING_H

struct byte_input;
struct error;
struct storing;

/**
 * Read a document to its end and bring it onto the branch.
 *
 * The time of the snapshot is the document's own: when its data were.  Records
 * of others may not tell it; their snapshot's kind is "records".
 *
 * @param s      after storing_open(); its options may lack source and kind
 * @param in     the document's bytes
 * @param label  "'x.json'": what messages begin with
 * @param otherwise  what the database is called where neither the user, nor the
 *               document, nor the branch tells; NULL: that is an error
 * @param what   for progress, and the snapshot's kind: "import" ...
 */
int importing_put(struct storing *s, struct byte_input *in, const char *label,
		  const char *otherwise, const char *what, const char *kind,
		  struct error *err);

#endif /* CMD_IMPORTING_H */
