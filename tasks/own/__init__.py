"""A task of a user's own, from files to splits, declared without code.

`declaration` reads what a study says, `files` and `tables` turn files into columns, `labels` names the
classes, `carving` makes the splits, `checks` finds what is wrong or worth a word, `preparing` puts them
together; may import no other room.
"""
