"""What can be done in the chat. Each action is one transaction and then one event.

Services take plain values, check who may do it, and raise a `ChatError` when they refuse. They
never call each other; what one must know of another it hears on the bus.
"""
