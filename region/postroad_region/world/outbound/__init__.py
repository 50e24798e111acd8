"""Mail that the providers send: bounces of what they accepted, and reports of complaints."""
