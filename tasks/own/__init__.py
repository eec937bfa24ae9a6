"""A task of a user's own, from files to splits, declared without code.

`declaration` reads what a study says, `templates` how a model that writes is asked; `files`, `conll`,
`objects` and `tables` turn files into columns, `labels` names the classes, `targets` are texts to write,
`sentences` have labelled words; `carving` makes the splits, `checks` finds what is wrong or worth a word,
`preparing` puts them together; may import no other room.
"""
