"""Services: the actions of the chat. Each action is one transaction followed by one event.

Services take plain values, check permissions, and raise a `ChatError` to refuse an action. They
never import each other; they subscribe to each other's events on the bus.
"""
