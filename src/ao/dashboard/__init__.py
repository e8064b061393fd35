"""The dashboard under `/ui`: server-rendered pages in the process of the server.

A page is a method of a class in `pages` that takes a `Visit` and answers with `Frame.render`; its URL,
permission and kind are one line in the class's `routes`. Every page works without JavaScript.
"""
