"""How this product reaches others by HTTP: by which proxy, and whose certificates it trusts.

The libraries beneath would read the environment by themselves, and answer what they do not understand with a traceback
that holds it. So they do not: the environment is read here, and a variable is refused by its name, never its value.
"""
