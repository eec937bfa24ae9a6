"""The documentation as a site: ``python -m docs.builder --out FOLDER``, or ``make docs``.

Pages are written by hand in ``docs/``; those of the methods, of the API and of the record's format are made
from what the code says of itself, so that there is no second truth. Nothing imports it.
"""
